# Varnish as a caching proxy. Storage is memory (see peers.py): its file storage is no faster and not crash-safe either.
vcl 4.1;
backend default {
    .host = "127.0.0.1";
    .port = "@origin@";
    .max_connections = 4096;
}
sub vcl_backend_response {
    # Nothing changes here.
    set beresp.ttl = 1d;
    # Clients get bytes while they arrive; the default, and what makes one fetch serve all.
    set beresp.do_stream = true;
}
