"""What the lab shows, in order: each step a sentence, what proves it, and why. A step fails by raising Failed; the later
ones stand on what the earlier ones left, as a day at two companies would."""
import signal
import ssl

from lab.client import message
from lab.process import Failed, wait_until, write
from world import World, counter

STEPS = []


def step(sentence, why):
    def keep(function):
        STEPS.append((sentence, why, function))
        return function
    return keep


def must_hold(text, *wanted):
    for one in wanted:
        if one not in text:
            raise Failed(f'expected "{one}" in: {text}')
    return text


def field(mail, name):
    """A header field with its folded lines, as one line."""
    found, lines = '', mail.split('\n\n')[0].split('\n')
    for index, line in enumerate(lines):
        if line.startswith(name + ':'):
            found = line
            for more in lines[index + 1:]:
                if not more.startswith(('\t', ' ')):
                    break
                found += ' ' + more.strip()
            break
    return found


def secured(mail, sender, recipient):
    return must_hold(field(mail, 'Authentication-Results'), f'Authentication-Results: mail1.{recipient};',
                     f'x-domain-secured=pass smtp.mailfrom={sender} header.from={sender}', 'policy.tls=TLS1.3',
                     'policy.revocation=good', f'policy.client=mail1.{sender}')


@step('Alice at Contoso writes to Bob at Woodgrove Bank. His mailbox has it, marked as domain-secured.',
      'Both edges showed certificates of the third-party root, neither is revoked, and each names its domain.')
def contoso_to_woodgrove(world):
    world.hand_in(world.contoso, 'alice@contoso.com', ['bob@woodgrovebank.com'], 'To the bank')
    return secured(world.woodgrove.arrived('bob@woodgrovebank.com', 'To the bank'), 'contoso.com', 'woodgrovebank.com')


@step('Both edges asked the proxy for the lists that decide this: the proxy\'s own log.',
      'What an edge fetches goes the way that `postern proxy set` named, and no other.')
def by_proxy(world):
    seen = sorted(set(world.proxy.asked()))
    return must_hold('\n'.join(seen), 'GET http://crl.exampletrust.com/root.crl', 'GET http://pki.contoso.com/contoso.crl',
                     'GET http://pki.woodgrovebank.com/woodgrovebank.crl')


def conversation(edge, way):
    """Written off the session's path: there once its last line is."""
    def whole():
        done = edge.postern('log', 'show', way)
        return done.stdout if '221 2.0.0' in done.stdout else None
    text = wait_until(whole, 'postern log show ' + way)
    return must_hold(text, '*Sending certificate', '*Received certificate', 'CN=mail1.contoso.com', 'CN=mail1.woodgrovebank.com',
                     'ing message', 'MAIL FROM:<alice@contoso.com>', '250 2.6.0')


@step('Contoso\'s protocol log tells how it was sent:  postern log show --send',
      'Our own certificate stands first, then the one that was received, and only then the envelope.')
def send_log(world):
    return conversation(world.contoso, '--send')


@step('Woodgrove Bank\'s protocol log tells the same from the other side:  postern log show --receive',
      'Two logs with the same serial numbers settle most questions between two administrators.')
def receive_log(world):
    return conversation(world.woodgrove, '--receive')


@step('Bob answers. Alice\'s mailbox has it, marked as domain-secured.', 'The same holds the other way round.')
def woodgrove_to_contoso(world):
    world.hand_in(world.woodgrove, 'bob@woodgrovebank.com', ['alice@contoso.com'], 'From the bank')
    return secured(world.contoso.arrived('alice@contoso.com', 'From the bank'), 'woodgrovebank.com', 'contoso.com')


@step('The counters of both sides say one sent and one received.',
      'They are Prometheus text on a loopback port, so that an alarm can be built on them.')
def counters(world):
    shown = ''
    for edge in (world.contoso, world.woodgrove):
        for way in ('sent', 'received'):
            name = f'postern_domain_secured_messages_{way}_total'
            # Bob's mail may be in the mailbox before his own edge has read the 250 for it.
            wait_until(lambda edge=edge, name=name: counter(edge, name) >= 1, f'{edge.name} {name} 1', 10)
            value = counter(edge, name)
            shown += f'{edge.name} {name} {value:g}\n'
            if value != 1:
                raise Failed(f'{edge.name} {name} is {value:g}, not 1')
    return shown


@step('The hub behind Contoso\'s edge sends outward and to Alice, with a mark of its own. Alice\'s copy keeps it, Bob\'s has it '
      'not.', 'The hub proves itself by the certificate under trusted_servers; marks are for inside.')
def hub_marks(world):
    mark = 'Authentication-Results: mail1.contoso.com; x-hub=checked\r\n'
    world.hand_in(world.contoso, 'alice@contoso.com', ['bob@woodgrovebank.com', 'alice@contoso.com'], 'Marked', mark)
    inside = world.contoso.arrived('alice@contoso.com', 'Marked')
    outside = world.woodgrove.arrived('bob@woodgrovebank.com', 'Marked')
    if 'x-hub=checked' in outside:
        raise Failed('the mark left the house:\n' + outside)
    return 'Alice: ' + must_hold(field(inside, 'Authentication-Results'), 'x-hub=checked') + '\nBob:   ' + secured(
        outside, 'contoso.com', 'woodgrovebank.com')


def answer_to(world, *wanted, leaf=None, **more):
    """What Contoso answers to MAIL of the bank."""
    with world.sender(leaf, **more) as session:
        return must_hold(session.to_mail('bob@woodgrovebank.com'), *wanted)


@step('Somebody sends as Woodgrove Bank without TLS and is refused.',
      '530: STARTTLS was offered and not tried; an honest bank would have.')
def without_tls(world):
    return answer_to(world, '530 5.7.0 starttls-required: must issue a STARTTLS command first')


@step('With TLS but without a certificate: deferred.',
      '454: perhaps the bank forgot its certificate; its mail waits until somebody looks.')
def without_certificate(world):
    return answer_to(world, '454 4.7.5 no-certificate: woodgrovebank.com', tls=True)


@step('With a certificate that names the bank but comes from a foreign root: deferred.',
      'Anybody can write a name into a certificate. Contoso trusts the third-party root for this partner, and no other.')
def foreign_certificate(world):
    foreign = type(world.root)(world.folder + '/pki', 'foreign', 'Somebody Else')
    return answer_to(world, '454 4.7.5 unknown-root: woodgrovebank.com',
                     leaf=foreign.leaf('bank', ['mail1.woodgrovebank.com']))


@step('With a certificate for servers only (no clientAuth): accepted.',
      'Public authorities stop issuing clientAuth; a name and a root are what matters.')
def only_server_auth(world):
    leaf = world.leaf(world.woodgrove_ca, 'server-only', 'mail2.woodgrovebank.com', purposes=('server',))
    return answer_to(world, '250 2.1.0', leaf=leaf)


@step('With the bank\'s own certificate for mail1.us.woodgrovebank.com: refused.',
      '550: a name speaks for a domain from one label below it, not from two. Who shows this is somebody else.')
def two_labels_below(world):
    leaf = world.leaf(world.woodgrove_ca, 'us', 'mail1.us.woodgrovebank.com')
    return answer_to(world, '550 5.7.1 name-mismatch: woodgrovebank.com', leaf=leaf)


@step('Carol at example.org, who stands on no list and uses no TLS, writes to Alice: delivered as ever.',
      'Domain security binds the partners that are listed, and costs nobody else anything.')
def unlisted(world):
    with world.sender(helo='mail.example.org') as session:
        session.sendmail('carol@example.org', ['alice@contoso.com'],
                         message('carol@example.org', 'alice@contoso.com', 'Hello from Carol'))
    mail = world.contoso.arrived('alice@contoso.com', 'Hello from Carol')
    if 'x-domain-secured' in mail:
        raise Failed('it was marked:\n' + mail)
    return field(mail, 'Received')


@step('Contoso copies the example script for this partner (TLS 1.3 only, the bank\'s own issuer only), SIGHUP. The bank with '
      'TLS 1.2: deferred; with TLS 1.3: accepted; Carol in clear: as ever.',
      'A script may demand more of one partner, and never less. Should it fail, that partner\'s mail waits, nobody else\'s.')
def tightened(world):
    write(world.contoso.folder + '/scripts/partners/woodgrovebank.com.lua',
          world.shipped('examples/woodgrovebank.com.lua'))
    in_force = world.contoso.reload().split(' ', 2)[2]
    old = answer_to(world, '454 4.7.5 tls-too-old: woodgrovebank.com', leaf=world.woodgrove_leaf,
                    at_most=ssl.TLSVersion.TLSv1_2)
    new = answer_to(world, '250 2.1.0', leaf=world.woodgrove_leaf)
    with world.sender() as session:
        other = must_hold(session.to_mail('carol@example.org'), '250 2.1.0')
    return f'{in_force}\nTLS 1.2: {old}\nTLS 1.3: {new}\nCarol:   {other}'


@step('A mistake in that script, SIGHUP: refused with file and line, and the script that was in force stays.',
      'A broken edit never goes live and never switches anything off.')
def broken_script(world):
    path = world.contoso.folder + '/scripts/partners/woodgrovebank.com.lua'
    text = world.shipped('examples/woodgrovebank.com.lua')
    since = world.contoso.process.mark()
    write(path, text.replace('postern.on("mail"', 'postern.onn("mail"'))
    world.contoso.process.signal(signal.SIGHUP)
    line = world.contoso.process.wait_for('reload-refused', since)
    must_hold(line, 'woodgrovebank.com.lua:', 'did you mean on')
    answer_to(world, '454 4.7.5 tls-too-old', leaf=world.woodgrove_leaf, at_most=ssl.TLSVersion.TLSv1_2)
    write(path, text)
    return line.split(' ', 2)[2]


@step('Fabrikam goes onto the receive list, SIGHUP: in force for the session that was open all the time, and nobody was cut '
      'off.', 'The new configuration is read and checked whole, then swapped; a session takes it up at its next message.')
def reloaded(world):
    text = world.contoso.text
    with world.sender(helo='mail.fabrikam.com') as session:
        before = must_hold(session.to_mail('dave@fabrikam.com'), '250 2.1.0')
        try:
            world.contoso.configure(text.replace('tls_receive_domain_secure_list {\n',
                                                 'tls_receive_domain_secure_list {\n  fabrikam.com\n'))
            in_force = world.contoso.reload()
            begun = must_hold(session.answer('RCPT TO:<alice@contoso.com>'), '250 2.1.5')
            must_hold(session.answer('RSET'), '250')
            after = must_hold(session.to_mail('dave@fabrikam.com'), '530 5.7.0 starttls-required')
        finally:
            world.contoso.configure(text)
            world.contoso.reload()
    return (f'before:          {before}\n{in_force.split(" ", 2)[2]}\nmessage begun:   {begun}\nnext message:    {after}')


FABRIKAM = '''partner fabrikam.com {
  roots {
    third-party
  }
}
'''


@step('Fabrikam has a root of its own, which Example Trust cross-certified, and its list stands in a directory. Contoso asks '
      'what can be had:  postern proxy test', 'One list came by the proxy. LDAP knows no proxy: the other came directly.')
def proxy_test(world):
    shown = world.must(world.contoso, 'proxy', 'test', world.fabrikam_leaf.chain)
    must_hold(shown, f'by proxy 127.0.0.1:{world.proxy.port}', f'direct to 127.0.0.1:{world.directory.port}',
              'LDAP takes no proxy', 'Every distribution point gave a list.')
    return '\n'.join(line.strip() for line in shown.splitlines() if not line.startswith('certificate'))


@step('Contoso lists Fabrikam as a partner under the root of Example Trust, SIGHUP. Fabrikam\'s certificate is accepted.',
      'The cross-certificate leads from Fabrikam\'s own authority to the root that Contoso trusts already.')
def cross_certified(world):
    world.plain = world.contoso.text
    listed = world.plain.replace('tls_receive_domain_secure_list {\n', 'tls_receive_domain_secure_list {\n  fabrikam.com\n')
    world.contoso.configure(listed.replace('partner woodgrovebank.com {', FABRIKAM + 'partner woodgrovebank.com {', 1))
    world.contoso.reload()
    with world.sender(world.fabrikam_leaf, 'mail1.fabrikam.com') as session:
        session.sendmail('dave@fabrikam.com', ['alice@contoso.com'],
                         message('dave@fabrikam.com', 'alice@contoso.com', 'From Fabrikam'))
    mail = world.contoso.arrived('alice@contoso.com', 'From Fabrikam')
    return must_hold(field(mail, 'Authentication-Results'), 'x-domain-secured=pass smtp.mailfrom=fabrikam.com',
                     'policy.revocation=good')


@step('Example Trust withdraws the cross-certificate, Contoso refreshes: Fabrikam is refused.',
      '550: one line on one list, and nobody whom Fabrikam\'s authority vouches for is believed any more.')
def cross_withdrawn(world):
    world.root.revoke(world.fabrikam_cross)
    world.publish(world.root)
    world.must(world.contoso, 'crl', 'refresh')
    with world.sender(world.fabrikam_leaf, 'mail1.fabrikam.com') as session:
        answer = must_hold(session.to_mail('dave@fabrikam.com'), '550 5.7.5 revoked: fabrikam.com', 'Fabrikam')
    world.contoso.configure(world.plain)
    world.contoso.reload()
    return answer


@step('Woodgrove Bank\'s certificate is revoked, Contoso refreshes its lists:  postern crl refresh',
      'A refresh asks at once; by itself a list is fetched again before it ends.')
def refresh(world):
    world.woodgrove_ca.revoke(world.woodgrove_leaf)
    world.publish(world.woodgrove_ca)
    return must_hold(world.must(world.contoso, 'crl', 'refresh'), World.list_url(world.woodgrove_ca))


@step('Bob writes again: Contoso refuses the revoked certificate, and the bank tells him so.',
      '550: whoever holds this certificate now, it is not to be believed any more.')
def revoked(world):
    since = world.woodgrove.process.mark()
    world.hand_in(world.woodgrove, 'bob@woodgrovebank.com', ['alice@contoso.com'], 'With a revoked certificate')
    line = world.woodgrove.process.wait_for('to=<alice@contoso.com>', since)
    must_hold(line, '550 5.7.5 revoked: woodgrovebank.com')
    notice = wait_until(lambda: next((mail for mail in world.woodgrove.mailbox('bob@woodgrovebank.com')
                                      if '550 5.7.5 revoked' in mail), None), 'the notice in Bob\'s mailbox')
    return line.split('(', 1)[1].rstrip(')') + '\nBob\'s mailbox: ' + field(notice, 'Subject')


@step('Alice\'s mail to the bank waits for the same reason.',
      'A server that cannot prove itself gets no envelope; the mail waits until it can, and is never sent in clear.')
def waits(world):
    since = world.contoso.process.mark()
    world.hand_in(world.contoso, 'alice@contoso.com', ['bob@woodgrovebank.com'], 'Patient')
    line = world.contoso.process.wait_for('to=<bob@woodgrovebank.com>', since)
    return must_hold(line, 'deferred:', 'status=4.7.5', '(revoked: ').split('(', 1)[1]


@step('The bank gets a new certificate, from a CA whose list Contoso never had, while the server of the lists is down: mail '
      'is deferred.', '451: unknown is not good, and time will mend it. No operator is needed.')
def unreachable(world):
    world.second_ca = world.issuer('woodgrovebank-2', 'Woodgrove Bank')
    leaf = world.leaf(world.second_ca, 'mail1', 'mail1.woodgrovebank.com')
    world.woodgrove.configure(world.woodgrove.text.replace(world.woodgrove_leaf.chain, leaf.chain)
                              .replace(world.woodgrove_leaf.key, leaf.key))
    world.woodgrove.reload()
    world.woodgrove_leaf = leaf
    world.web.stop()
    since = world.woodgrove.process.mark()
    world.hand_in(world.woodgrove, 'bob@woodgrovebank.com', ['alice@contoso.com'], 'With the new certificate')
    line = world.woodgrove.process.wait_for('to=<alice@contoso.com>', since)
    return must_hold(line, 'deferred:', '451 4.7.5 crl-unreachable: woodgrovebank.com').split('(', 1)[1]


@step('The server of the lists is back: the next try of each delivers what waited, domain-secured.',
      'The queue tries again by itself, the list is fetched through the proxy, and everything is known again.')
def back(world):
    fetched = world.contoso.process.mark()
    world.web.start()
    marked = secured(world.contoso.arrived('alice@contoso.com', 'With the new certificate'), 'woodgrovebank.com', 'contoso.com')
    secured(world.woodgrove.arrived('bob@woodgrovebank.com', 'Patient'), 'contoso.com', 'woodgrovebank.com')
    line = world.contoso.process.wait_for('crl-fetched: crl: ' + World.list_url(world.second_ca), fetched)
    return marked + '\n' + must_hold(line, 'crl-fetched', f'by proxy 127.0.0.1:{world.proxy.port}').split(' ', 2)[2]
