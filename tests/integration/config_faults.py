#!/usr/bin/env python3
"""A configuration with many mistakes: `config check` and the daemon tell all of them at once as file:line: key: problem, with
suggestions, and end with 78; those of plugins' own blocks stand beside the core's."""
import os
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[1])

TEXT = f'''fqnd mail1.contoso.com
plugin_folder {BUILD}/plugins
plugins {{
  tls-mutaul
  crl {{
    crl_prots {{
      80
    }}
    allow_private maybe
  }}
}}
tls_receive_domain_secure_list {{
  woodgrovebank.com contoso.com
  co.uk
}}
partner woodgrovebank.com {{
  roots {{
    woodgroev
  }}
  revocation hrad
  exception {{
    allow no-tls
  }}
}}
receive_connector Inet {{
  bindings {{
    127.0.0.1:99999
  }}
  domain_secure_enabled perhaps
  certificate edgy
}}
'''

WANTED = [
    ':1: fqnd: is not a key of the configuration (did you mean fqdn?)', ': fqdn: is missing',
    ':4: plugins.tls-mutaul: ', 'did you mean tls-mutual?', ':6: crl.crl_prots: is not a key of the plugin crl (did you mean '
    'crl_ports?)', ':9: crl.allow_private: "maybe" is not yes or no', ':13: woodgrovebank.com: one entry a line',
    ':14: co.uk: is a public suffix', ':17: roots: no roots are called woodgroev', ':20: revocation: "hrad" is none of hard, '
    'soft, off (did you mean hard?)', ':21: exception: needs until', ':21: exception: needs a reason',
    ':27: 127.0.0.1:99999: is no address:port', ':29: domain_secure_enabled: "perhaps" is not yes or no',
    ':30: certificate: no certificate is called edgy',
]


def main():
    with tempfile.TemporaryDirectory() as folder:
        conf = folder + '/postern.conf'
        with open(conf, 'w', encoding='utf-8') as file:
            file.write(TEXT)
        for program in ([BUILD + '/bin/postern', 'config', 'check', conf], [BUILD + '/bin/posternd', '-c', conf]):
            done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
            said = done.stdout + done.stderr
            if done.returncode != 78:
                raise SystemExit(f'FAILED {program[0]}: exit {done.returncode}\n{said}')
            for one in WANTED:
                if one not in said:
                    raise SystemExit(f'FAILED {program[0]} does not say "{one}":\n{said}')
            print(f'ok: {os.path.basename(program[0])} tells all {len(WANTED)} and ends with 78')


main()
