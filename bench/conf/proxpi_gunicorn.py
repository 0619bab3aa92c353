"""gunicorn for proxpi: one process, because its cache of indexes is a process's own; threads for a hundred clients."""

bind = "127.0.0.1:@port@"
backlog = 4096
workers = 1
threads = 100
worker_class = "gthread"
# Connections are kept.
keepalive = 60
timeout = 900
loglevel = "error"
# Files are sent by the kernel.
sendfile = True
