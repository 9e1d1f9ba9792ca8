"""A sender: an SMTP client that may use STARTTLS, with a certificate or without, up to a TLS version. Each sender has an
address of its own in 127/8, since a server remembers addresses."""
import smtplib
import ssl


def context_for(leaf=None, at_most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the server is judged elsewhere; here only what it answers counts
    context.verify_mode = ssl.CERT_NONE
    if at_most:
        context.maximum_version = at_most
    if leaf:
        context.load_cert_chain(leaf.chain, leaf.key)
    return context


class Sender(smtplib.SMTP):
    """Connected and greeted; `leaf` or `tls` make it use STARTTLS."""

    def __init__(self, edge, helo='sender.example.org', leaf=None, tls=None, at_most=None, source='127.0.0.1'):
        super().__init__(edge.address, edge.port, helo, timeout=60, source_address=(source, 0))
        self.ehlo()
        if leaf or tls:
            code, text = self.starttls(context=context_for(leaf, at_most))
            if code != 220:
                raise smtplib.SMTPResponseException(code, text)
            self.ehlo()

    def answer(self, command):
        """Any command, its reply as one line."""
        code, text = self.docmd(command)
        return f'{code} {text.decode(errors="replace")}'

    def to_mail(self, sender):
        return self.answer(f'MAIL FROM:<{sender}>')


def message(sender, recipient, subject, more='', body='Good morning.'):
    return f'From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n{more}\r\n{body}\r\n'
