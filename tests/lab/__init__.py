"""Real parts for tests and for tools/lab, standard library only: processes that always end, a PKI made with openssl,
nginx, tinyproxy, dnsmasq, posternd, an SMTP client with certificates, Maildirs. Knows no scenario.

Start with edge.py (a posternd) and pki.py; tests/integration/clear_mail.py is the smallest user.
"""
