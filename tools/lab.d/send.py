"""For `tools/lab --keep`: one message, said line by line, so that the answers can be seen.
    send.py ADDRESS:PORT FROM TO [CHAIN KEY]      with CHAIN and KEY over TLS with that certificate
    send.py ADDRESS:PORT FROM TO --tls            over TLS without a certificate"""
import os
import smtplib
import sys
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tests'))
from lab.client import Sender, message


def main():
    if len(sys.argv) not in (4, 5, 6):
        sys.exit(__doc__)
    (address, port), sender, recipient, *rest = sys.argv[1].split(':'), *sys.argv[2:]
    leaf = SimpleNamespace(chain=rest[0], key=rest[1]) if len(rest) == 2 else None
    with Sender(SimpleNamespace(address=address, port=int(port)), leaf=leaf, tls=rest == ['--tls']) as session:
        print('TLS: ' + (session.sock.version() if hasattr(session.sock, 'version') else 'none'))
        for command in f'MAIL FROM:<{sender}>', f'RCPT TO:<{recipient}>':
            answer = session.answer(command)
            print(f'> {command}\n< {answer}')
            if not answer.startswith('2'):
                return 1
        try:
            code, text = session.data(message(sender, recipient, 'By hand').encode())
        except smtplib.SMTPDataError as refused:
            code, text = refused.args
        print(f'> DATA\n< {code} {text.decode()}')
        return 0 if code == 250 else 1


sys.exit(main())
