// The README's example of a policy: a program from outside over a directory of the host's. A test runs it.
import { Cap, hostDirectory, memoryDirectory, Sandbox } from 'gloveport';

export async function runOver(program: Uint8Array | string, directory: string, args: string[]) {
  const refused: string[] = [];
  const sandbox = new Sandbox({
    grant: Cap.CONSOLE | Cap.FS_READ | Cap.FS_WRITE | Cap.NETWORK,
    limits: 'permissive',
    args,
    mounts: { '/files': hostDirectory(directory), '/tmp': memoryDirectory() },
    denyPaths: ['/files/**/*.key'],
    network: { hosts: ['https://api.example.com'] },
    onAccess: ({ operation, allowed, detail }) => {
      if (!allowed) refused.push(`${operation} ${JSON.stringify(detail)}`);
    },
  });
  await using guest = await sandbox.load(program);
  return { ...(await guest.run()), refused };
}
