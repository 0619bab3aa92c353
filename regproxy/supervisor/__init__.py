"""Several processes as one server: the supervisor holds the ports and starts the workers, which serve.

The supervisor is the process that ``twist regproxy`` began as; each worker is ``python -m regproxy.supervisor.worker``, started
with the ports already open (``ports``), its ``orders`` on stdin, and its end if the supervisor ends.
"""
