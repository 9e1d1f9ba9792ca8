#!/usr/bin/env python3
"""Mail in clear, with the real daemon: in by SMTP, into a Maildir and over a send connector to a real peer, across a
restart; and what a listed domain, an unknown recipient and a relay attempt are answered."""
import os
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

BUILD = sys.argv[1]


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Edge:
    def __init__(self, folder, name, domain, port, extra):
        self.folder, self.name, self.port = folder, name, port
        os.makedirs(folder, exist_ok=True)
        with open(folder + '/rcpt', 'w') as f:
            f.write('alice\n')
        with open(folder + '/postern.conf', 'w') as f:
            f.write(f'''fqdn {name}
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {BUILD}/plugins
plugins {{
  deliver-maildir {{
    folder {folder}/mail
  }}
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
accepted_domain {domain} {{
  recipients {{
    file {folder}/rcpt
  }}
  deliver maildir
}}
{extra}''')
        self.start()

    def start(self):
        self.log = open(self.folder + '/log', 'ab')
        self.process = subprocess.Popen([BUILD + '/bin/posternd', '-c', self.folder + '/postern.conf'], stderr=self.log)
        self.wait_for_log('started:', self.log.tell())

    def wait_for_log(self, text, since=0, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with open(self.folder + '/log', 'rb') as f:
                f.seek(since)
                if text.encode() in f.read():
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        sys.exit(f'{self.name}: "{text}" did not come\n' + open(self.folder + '/log').read())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, open(self.folder + '/log').read()

    def maildir(self, address):
        local, domain = address.split('@')
        folder = f'{self.folder}/mail/{domain}/{local}/new'
        return [open(f'{folder}/{n}').read() for n in sorted(os.listdir(folder))] if os.path.isdir(folder) else []


def reply(port, sender, recipient):
    with smtplib.SMTP('127.0.0.1', port, 'sender.example.org', timeout=30) as s:
        s.ehlo()
        code, text = s.mail(sender)
        if code != 250:
            return f'{code} {text.decode()}'
        code, text = s.rcpt(recipient)
        return f'{code} {text.decode()}'


def send(port, sender, recipient):
    with smtplib.SMTP('127.0.0.1', port, 'sender.example.org', timeout=30) as s:
        s.sendmail(sender, [recipient], f'From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: test\r\nX-Postern-Forged: 1\r\n'
                   'Authentication-Results: MAIL1.contoso.com; x-domain-secured=pass\r\n\r\nhello\r\n..dots\r\n')


def main():
    with tempfile.TemporaryDirectory(prefix='postern-clear-') as folder:
        lists = 'tls_receive_domain_secure_list {\n  woodgrovebank.com\n  .woodgrovebank.com\n}\n'
        edge = Edge(folder + '/contoso', 'mail1.contoso.com', 'contoso.com', free_port(), lists)
        try:
            send(edge.port, 'bob@example.org', 'alice@contoso.com')
            edge.wait_for_log('delivered:')
            [mail] = edge.maildir('alice@contoso.com')
            assert mail.startswith('Return-Path: <bob@example.org>\n'), mail
            assert 'by mail1.contoso.com with ESMTP' in mail and mail.endswith('\nhello\n..dots\n'), mail
            assert 'X-Postern-Forged' not in mail and 'x-domain-secured=pass' not in mail, 'forged marks stayed:\n' + mail
            answer = reply(edge.port, 'bob@woodgrovebank.com', 'alice@contoso.com')
            assert answer.startswith('451 4.3.0 role-missing: '), answer
            answer = reply(edge.port, 'bob@us.woodgrovebank.com', 'alice@contoso.com')
            assert answer.startswith('451 4.3.0 role-missing: '), answer
            assert reply(edge.port, 'bob@example.org', 'nobody@contoso.com').startswith('550 5.1.1'), 'unknown recipient'
            assert reply(edge.port, 'bob@example.org', 'x@example.net').startswith('550 5.7.1'), 'open relay'
            assert reply(edge.port, 'alice@contoso.com', 'alice@contoso.com').startswith('550 5.7.1'), 'own sender'
            status = subprocess.run([BUILD + '/bin/postern', '-c', edge.folder + '/postern.conf', 'status'], capture_output=True, text=True)
            assert status.returncode == 1 and 'ALARM role-missing tls-mutual' in status.stdout, status
            # A broken edit is refused whole; the session that is open goes on under the old one.
            with smtplib.SMTP('127.0.0.1', edge.port, 'sender.example.org', timeout=30) as s:
                s.ehlo()
                with open(edge.folder + '/postern.conf', 'a') as f:
                    f.write('fqnd typo\n')
                edge.process.send_signal(signal.SIGHUP)
                edge.wait_for_log('fqnd: is not a key of the configuration (did you mean fqdn?)')
                assert s.noop()[0] == 250
            edge.stop()
        finally:
            edge.process.poll() is None and edge.process.kill()
    print('1 passed, 0 failed')


main()
