"""One fill across the processes of a server: who asks upstream, and how the others read what arrives."""
