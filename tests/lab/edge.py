"""One posternd with its folder, and the `postern` command beside it. The configuration is the caller's text, which may be
changed and reloaded."""
import os
import signal
import subprocess

from .process import Failed, Process, wait_until, write


class Edge:
    def __init__(self, build, folder, name, address, port, text):
        self.build, self.folder, self.name, self.address, self.port = build, folder, name, address, port
        self.conf = folder + '/postern.conf'
        self.process = None
        self.configure(text)

    def configure(self, text):
        self.text = text
        write(self.conf, text)

    def start(self, **more):
        self.process = Process(self.name, [self.build + '/bin/posternd', '-c', self.conf], self.folder + '/log', **more)
        self.process.wait_for('started:')
        return self

    def stop(self):
        status = self.process.stop(60)
        if status != 0:
            raise Failed(f'{self.name} ended with status {status}; see {self.folder}/log')

    def reload(self):
        """SIGHUP; returns when the new generation is in force."""
        since = self.process.mark()
        self.process.signal(signal.SIGHUP)
        self.process.wait_for('reload', since)
        return self.process.wait_for('reloaded:', since)

    def command(self, *words):
        """The command as a human would type it."""
        return [self.build + '/bin/postern', '-c', self.conf, *words]

    def postern(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=120, check=False)

    def mailbox(self, address):
        """The messages in a Maildir of deliver-maildir."""
        local, domain = address.split('@')
        folder = f'{self.folder}/mail/{domain}/{local}/new'
        if not os.path.isdir(folder):
            return []
        texts = []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as file:
                texts.append(file.read())
        return texts

    def arrived(self, address, subject, seconds=60):
        """Waits for the message with that subject."""
        def found():
            return next((text for text in self.mailbox(address) if f'\nSubject: {subject}\n' in text), None)
        return wait_until(found, f'"{subject}" in the mailbox of {address}', seconds)
