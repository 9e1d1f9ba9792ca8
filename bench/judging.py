"""What judging costs, in the words of spec and README: the program bench_judging does the work."""
import json
import subprocess


def told(build, *words):
    done = subprocess.run([build + '/bin/bench_judging', *map(str, words)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout else {}


def measure(build, folder):
    for every, how in ((3, 'reason codes on each third'), (1, 'a reason code on each')):
        path = f'{folder}/judging-{every}.crl'
        told(build, 'make', 1000000, every, path)
        takes = [told(build, 'take', path) for _ in range(5)]
        took = sorted(one['decode_s'] + one['verify_s'] for one in takes)
        print(f"a list of {takes[0]['entries']:,} entries ({takes[0]['octets'] / 1e6:.1f} MB), {how}: taken in after "
              f"{took[len(took) // 2]:.3f} s ({took[0]:.3f} to {took[-1]:.3f}; of it the signature "
              f"{min(one['verify_s'] for one in takes):.3f}), {max(one['memory_mb'] for one in takes):.1f} MiB at the most, its octets among them",
              flush=True)
    judged = told(build, 'judge', f'{folder}/judging-3.crl', 3000)
    print(f"with that list warm: a look-up {judged['look_up_us']:.2f} microseconds, a remembered judgement "
          f"{judged['remembered_us']:.2f}, a fresh one of three certificates {judged['fresh_us']:.0f}, of which "
          f"{judged['signatures_us']:.0f} are its two signature checks", flush=True)
