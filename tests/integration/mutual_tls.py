#!/usr/bin/env python3
"""Mutual TLS between two real edges, and what every kind of peer is answered at MAIL: the table of the domain-security
page as far as no revocation list is needed (revocation off). Certificates swap with SIGHUP, roots stay a partner's."""
import os
import shutil
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until


def senders(world):
    edge, ca = world.contoso, world.woodgrove_ca
    source = iter(f'127.0.3.{n}' for n in range(1, 250))
    mail = 'a@woodgrovebank.com'

    def asked(what, *wanted, leaf=None, tls=None, at=mail, **more):
        with Sender(edge, leaf=leaf, tls=tls, source=next(source), **more) as sender:
            check(what, sender.to_mail(at), *wanted)

    asked('in clear', '530 5.7.0 starttls-required: must issue a STARTTLS command first', 'session ')
    asked('without a certificate', '454 4.7.5 no-certificate: woodgrovebank.com', tls=True)
    foreign = world.foreign.leaf('f', ['mail1.woodgrovebank.com'])
    asked('with a foreign certificate', '454 4.7.5 unknown-root: woodgrovebank.com', leaf=foreign)
    asked('with its own', '250 2.1.0', leaf=world.woodgrove_leaf)
    asked('with only serverAuth', '250 2.1.0', leaf=ca.leaf('s', ['mail2.woodgrovebank.com'], ['server']))
    asked('at TLS 1.2', '250 2.1.0', leaf=world.woodgrove_leaf, at_most=ssl.TLSVersion.TLSv1_2)
    deep = ca.leaf('deep', ['mail1.us.woodgrovebank.com'])
    asked('two labels below', '550 5.7.1 name-mismatch: woodgrovebank.com', 'two labels below', leaf=deep)
    asked("with another partner's", '550 5.7.1 name-mismatch', leaf=world.contoso_leaf)
    asked('unlisted in clear', '250 2.1.0', at='a@example.org')
    asked('unlisted with any certificate', '250 2.1.0', at='a@example.org', leaf=foreign)
    asked('own domain from outside', '550 5.7.1', at='a@contoso.com')
    asked('null sender', '250 2.1.0', at='', leaf=foreign)


def broken_handshake(world):
    source = '127.0.4.1'
    with Sender(world.contoso, source=source) as sender:
        sender.putcmd('STARTTLS')
        sender.getreply()
        sender.sock.sendall(b'this is no client hello\r\n')
        check('a TLS alert, nothing in clear, after a broken handshake', repr(sender.sock.recv(100)[:1]), r"b'\x15'")
    with Sender(world.contoso, source=source) as sender:
        check('clear after a broken handshake', sender.to_mail('a@woodgrovebank.com'), '454 4.7.0 tls-unavailable')
    # That memory is cleared by the answer: the next is told what it must do.
    with Sender(world.contoso, source=source) as sender:
        check('and then again', sender.to_mail('a@woodgrovebank.com'), '530 5.7.0 starttls-required')


def arriving(world):
    for edge, sender, recipient in ((world.contoso, 'a@woodgrovebank.com', 'bob@contoso.com'),
                                    (world.woodgrove, 'a@contoso.com', 'eve@woodgrovebank.com')):
        leaf = world.woodgrove_leaf if edge is world.contoso else world.contoso_leaf
        with Sender(edge, leaf=leaf, source='127.0.5.1') as direct:
            direct.sendmail(sender, recipient, message(sender, recipient, 'direct'))
        text = edge.arrived(recipient, 'direct')
        check('revocation off is not domain-secured', str('x-domain-secured=pass' not in text), 'True')


def hub(world):
    hub_leaf = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
    more = f'''trusted_servers {{
  hub1 {{
    sha256 {hub_leaf.sha256()}
    roles {{
      relay
      marks
    }}
  }}
}}
'''
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=more))
    world.contoso.reload()
    with Sender(world.contoso, leaf=hub_leaf, source='127.0.6.1') as sender:
        sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                        message('bob@contoso.com', 'eve@woodgrovebank.com', 'out'))
    text = world.woodgrove.arrived('eve@woodgrovebank.com', 'out')
    check('the hub relays out over mutual TLS', text, 'with ESMTPS')


def swapped_certificate(world):
    """The certificate behind the same names, exchanged while a session is open."""
    fresh = world.contoso_ca.leaf('fresh', ['mail1.contoso.com'])
    with Sender(world.contoso, source='127.0.7.1') as held:
        shutil.copy(fresh.chain, world.contoso_leaf.chain)
        shutil.copy(fresh.key, world.contoso_leaf.key)
        world.contoso.reload()
        check('the open session goes on', held.to_mail('a@example.org'), '250 2.1.0')
    with Sender(world.contoso, tls=True, source='127.0.7.2') as sender:
        shown = ssl.DER_cert_to_PEM_cert(sender.sock.getpeercert(True))
        with open(fresh.certificate, encoding='ascii') as file:
            check('the new certificate is shown', str(shown.strip() in file.read()), 'True')


def wrong_server(world):
    """Contoso sends to a Woodgrove that proves somebody else, then to one without STARTTLS: nothing leaves."""
    deep = world.woodgrove_ca.leaf('server-deep', ['mail1.us.woodgrovebank.com'])
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, deep))
    world.woodgrove.reload()
    since = world.contoso.process.mark()
    hub_leaf = world.contoso_ca.leaf('hub2', ['hub.contoso.com'])
    pinned = f'''trusted_servers {{
  hub1 {{
    sha256 {hub_leaf.sha256()}
    roles {{
      relay
    }}
  }}
}}
'''
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=pinned))
    world.contoso.reload()
    with Sender(world.contoso, leaf=hub_leaf, source='127.0.8.1') as sender:
        sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                        message('bob@contoso.com', 'eve@woodgrovebank.com', 'later'))
    check('a wrong name defers', world.contoso.process.wait_for('name-mismatch', since), 'name-mismatch')
    status = world.contoso.postern('status')
    check('and is an alarm', status.stdout, 'ALARM certificate-failure woodgrovebank.com')
    check('with its exit status', str(status.returncode), '1')
    since = world.contoso.process.mark()
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, deep).replace('  auth_mechanism {\n    tls\n  }\n', ''))
    world.woodgrove.reload()
    check('no STARTTLS defers', world.contoso.process.wait_for('starttls-not-offered', since), 'starttls-not-offered')
    check('nothing arrived', str('later' in ' '.join(world.woodgrove.mailbox('eve@woodgrovebank.com'))), 'False')
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, world.woodgrove_leaf))
    world.woodgrove.reload()
    world.woodgrove.arrived('eve@woodgrovebank.com', 'later')
    wait_until(lambda: 'certificate-failure' not in world.contoso.postern('status').stdout, 'the alarm to end')
    print('ok: mended, the message went and the alarm ended')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], folder)
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        try:
            senders(world)
            broken_handshake(world)
            arriving(world)
            hub(world)
            swapped_certificate(world)
            wrong_server(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-60:]))
            raise
        for edge in (world.contoso, world.woodgrove):
            edge.stop()
        world.dns.stop()


main()
