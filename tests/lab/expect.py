"""How a scenario says what it saw, and stops at the first thing that is not as wanted."""


def check(what, got, *wanted):
    for one in wanted:
        if one not in got:
            raise SystemExit(f'FAILED {what}: wanted "{one}" in "{got}"')
    print(f'ok: {what}: {got.splitlines()[0] if got else got}')
