"""A notice as a strict reader takes it: RFC 3462 and 6522 (the report), 3464 and 6533 (what machines read), 5322 (lines)."""
import email
import email.policy
import email.utils
import re

DATES = ('Arrival-Date', 'Last-Attempt-Date', 'Will-Retry-Until')


class Report:
    """Parsed; `faults` says what is wrong with it."""

    def __init__(self, raw):
        self.raw, self.faults = raw.replace(b'\r\n', b'\n'), []
        self.message = email.message_from_bytes(self.raw, policy=email.policy.compat32)
        self._lines()
        self._defects(self.message)
        self._head()
        self.parts = self.message.get_payload()
        self.people = self.parts[0].get_payload(decode=True).decode('utf-8')
        self.about, self.recipients = None, []
        self._machines()
        self.returned = self.parts[2] if len(self.parts) > 2 else None

    def _want(self, holds, fault):
        if not holds:
            self.faults.append(fault)

    def _lines(self):
        self._want(b'\0' not in self.raw, 'NUL')
        for line in self.raw.split(b'\n'):
            self._want(len(line) <= 998, f'a line of {len(line)} octets')

    def _defects(self, part):
        self._want(not part.defects, f'{part.get_content_type()}: {part.defects}')
        if part['Content-Transfer-Encoding'] == 'base64':
            return  # of an encoded message/global (RFC 6532 3.7) the parser reads the code as the message
        for inner in part.get_payload() if part.is_multipart() else ():
            self._defects(inner)

    def _head(self):
        for name in ('From', 'To', 'Subject', 'Date', 'Message-ID', 'MIME-Version', 'Auto-Submitted'):
            self._want(len(self.message.get_all(name, [])) == 1, f'{name}: {self.message.get_all(name)}')
        self._want(self.message['Auto-Submitted'] == 'auto-replied', 'Auto-Submitted')
        self._want(self.message.get_content_type() == 'multipart/report', self.message.get_content_type())
        kind = self.message.get_param('report-type')
        self._want(len(self.message.get_payload()) in (2, 3), 'two parts or three')
        self._want(self.message.get_payload()[0].get_content_type() == 'text/plain', 'the first part is for people')
        self._want(self.message.get_payload()[1].get_content_type() == f'message/{kind}', f'report-type {kind}')
        self.is_global = kind == 'global-delivery-status'

    def _machines(self):
        part = self.raw.split(b'\n--' + self.message.get_boundary().encode())[2].split(b'\n\n', 1)[1]
        self._want(self.is_global or part.isascii(), 'other than ASCII in message/delivery-status')
        groups = [email.message_from_string(text, policy=email.policy.compat32)
                  for text in part.decode('utf-8').strip('\n').split('\n\n')]
        self.about, self.recipients = groups[0], groups[1:]
        self._want(self.about.get('Reporting-MTA', '').startswith('dns; '), 'Reporting-MTA')
        self._want(self.recipients, 'it reports on nobody')
        for group in groups:
            self._want(not group.defects and not group.get_payload(), f'{group.defects} {group.get_payload()!r}')
            for name in DATES:
                if name in group:
                    email.utils.parsedate_to_datetime(group[name])
        for one in self.recipients:
            self._recipient(one)

    def _recipient(self, one):
        for name in ('Final-Recipient', 'Action', 'Status'):
            self._want(len(one.get_all(name, [])) == 1, f'{name}: {one.get_all(name)}')
        self._want(one['Action'] in ('failed', 'delayed', 'delivered', 'relayed'), one['Action'])
        self._want(re.fullmatch(r'[245]\.\d{1,3}\.\d{1,3}', one['Status']), one['Status'])
        self._want((one['Status'][0] == '2') == (one['Action'] in ('delivered', 'relayed')), 'Action and Status disagree')
        for name in ('Final-Recipient', 'Original-Recipient'):
            self._want(name not in one or re.match(r'[A-Za-z0-9-]+; \S', one[name]), f'{name}: {one[name]}')
        kind, _, text = one['Diagnostic-Code'].partition('; ')
        self._want(kind in ('smtp', 'x-postern') and text, one['Diagnostic-Code'])
        self._want((kind == 'smtp') == ('Remote-MTA' in one), 'who said it')
        self._want(kind != 'smtp' or re.match(r'[245]\d\d', text), one['Diagnostic-Code'])
        self._want('Will-Retry-Until' not in one or one['Action'] == 'delayed', 'Will-Retry-Until')

    def of(self, address):
        return next(one for one in self.recipients if one['Final-Recipient'].endswith('; ' + address))
