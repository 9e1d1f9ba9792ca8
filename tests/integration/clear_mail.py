#!/usr/bin/env python3
"""Mail in clear, with the real daemon: in by SMTP, into a Maildir, across a restart; what a listed domain, an unknown
recipient and a relay attempt are answered; a broken edit under SIGHUP."""
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab.client import Sender, message
from lab.edge import Edge
from lab.process import end_with_us, free_port, write

BUILD = sys.argv[1]


def configuration(folder, port):
    return f'''fqdn mail1.contoso.com
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {BUILD}/plugins
plugins {{
  deliver-maildir {{
    folder {folder}/mail
  }}
}}
tls_receive_domain_secure_list {{
  woodgrovebank.com
  .woodgrovebank.com
}}
receive_connector Inet {{
  bindings {{
    127.0.0.1:{port}
  }}
  remote_ranges {{
    0.0.0.0/0
  }}
  permission_groups {{
    anonymous
  }}
  auth_mechanism {{
    tls
  }}
  domain_secure_enabled yes
}}
accepted_domain contoso.com {{
  recipients {{
    file {folder}/recipients
  }}
  deliver maildir
}}
'''


def reply(edge, sender, recipient):
    with Sender(edge) as session:
        answer = session.to_mail(sender)
        return session.answer(f'RCPT TO:<{recipient}>') if answer.startswith('250') else answer


def send(edge, sender, recipient, subject):
    forged = 'X-Postern-Forged: 1\r\nAuthentication-Results: MAIL1.contoso.com; x-domain-secured=pass\r\n'
    with Sender(edge) as session:
        session.sendmail(sender, [recipient], message(sender, recipient, subject, forged, 'hello\r\n..dots'))


def check_replies(edge):
    for sender in 'bob@woodgrovebank.com', 'bob@us.woodgrovebank.com':
        answer = reply(edge, sender, 'alice@contoso.com')
        assert answer.startswith('451 4.3.0 role-missing: '), answer
    assert reply(edge, 'bob@example.org', 'nobody@contoso.com').startswith('550 5.1.1'), 'unknown recipient'
    assert reply(edge, 'bob@example.org', 'x@example.net').startswith('550 5.7.1'), 'open relay'
    assert reply(edge, 'alice@contoso.com', 'alice@contoso.com').startswith('550 5.7.1'), 'own sender'


def check_broken_edit(edge):
    """A broken edit is refused whole; the session that is open goes on under the old one."""
    with Sender(edge) as session:
        edge.configure(edge.text + 'fqnd typo\n')
        edge.process.signal(signal.SIGHUP)
        edge.process.wait_for('fqnd: is not a key of the configuration (did you mean fqdn?)')
        assert session.noop()[0] == 250
    edge.configure(edge.text.replace('fqnd typo\n', ''))


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-clear-') as folder:
        write(folder + '/recipients', 'alice\n')
        port = free_port()
        edge = Edge(BUILD, folder, 'mail1.contoso.com', '127.0.0.1', port, configuration(folder, port)).start()
        try:
            send(edge, 'bob@example.org', 'alice@contoso.com', 'first')
            mail = edge.arrived('alice@contoso.com', 'first')
            assert mail.startswith('Return-Path: <bob@example.org>\n'), mail
            assert 'by mail1.contoso.com with ESMTP' in mail and mail.endswith('\nhello\n..dots\n'), mail
            assert 'X-Postern-Forged' not in mail and 'x-domain-secured=pass' not in mail, 'forged marks stayed:\n' + mail
            check_replies(edge)
            status = edge.postern('status')
            assert status.returncode == 1 and 'ALARM role-missing tls-mutual' in status.stdout, status
            check_broken_edit(edge)
            edge.stop()
            edge.start()
            send(edge, 'bob@example.org', 'alice@contoso.com', 'second')
            edge.arrived('alice@contoso.com', 'second')
        finally:
            edge.stop()
    print('1 passed, 0 failed')


main()
