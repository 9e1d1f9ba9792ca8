"""Memory over very many messages: what the daemon holds after each tenth of them, passed on by mutual TLS. `--messages`
says how many."""
import os

from lab.process import wait_until
from relay import Group, PosternServer, Scenario, Sink, World, faults


def measure(build, folder, messages):
    world, scenario = World(folder), Scenario('flat', tls=True)
    own = folder + '/flat'
    os.makedirs(own)
    sink, group = Sink(build, own, world.server), Group('flat')
    server = PosternServer(build, own, world, sink.port, True, group)
    server.start()
    print('| messages | anonymous memory MiB | all resident MiB |\n|---|---|---|', flush=True)
    tenth = messages // 10
    for number in range(10):
        scenario.load(build, world, server.port, tenth, first=number * tenth)
        wait_until(lambda: sink.count() >= (number + 1) * tenth, 'everything to be passed on', 300)
        with open(f'/proc/{server.edge.process.pid}/status', encoding='ascii') as file:
            resident = {line.split(':')[0]: int(line.split()[1]) / 1024 for line in file if line.startswith(('VmRSS', 'RssAnon'))}
        print(f"| {(number + 1) * tenth} | {resident['RssAnon']:.1f} | {resident['VmRSS']:.1f} |", flush=True)
    print(faults(sink.told(), tenth * 10))
    server.stop()
    group.remove()
