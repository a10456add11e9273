// Which capability each function of WASI implies: what a module's imports say that it may do, before it runs. Whether a call succeeds is decided by the
// function itself, at every call.
import { Cap } from '../capabilities.ts';
import { WASI_INTERFACES } from './component/signatures.ts';
import type { Interface } from './component/signatures/reader.ts';

/**
 * The {@link Cap} mask that the import `name` of `module` implies: 0 for what every guest may use, undefined for what this host does not provide.
 * @param module an interface of WASI 0.2, with or without its version (`wasi:filesystem/types@0.2.3`), or a name of preview 1: `wasi_snapshot_preview1`, `wasi_unstable`
 * @param name as in a component's import (`[method]descriptor.write`, `get-environment`), or a preview 1 function (`fd_write`)
 */
export function requiredCapabilities(module: string, name: string): number | undefined {
  const key = /^(wasi:[a-z-]+\/[a-z-]+)(?:@0\.2\.\d+)?$/.exec(module)?.[1] ?? module;
  return REQUIREMENTS.get(key)?.get(name);
}

/** Like {@link requiredCapabilities}, also for what WASI has and this host does not provide: what such an import is after; 0 for all else. */
export function impliedCapabilities(module: string, name: string): number {
  return requiredCapabilities(module, name) ?? (/^wasi:(?:http|sockets)\//.test(module) || /^sock_/.test(name) ? Cap.NETWORK : Cap.NONE);
}

/** Every interface of {@link requiredCapabilities} with its functions, for tables and tests. */
export function providedFunctions(): ReadonlyMap<string, readonly string[]> {
  return new Map([...REQUIREMENTS].map(([module, functions]) => [module, [...functions.keys()]]));
}

/** By interface: the mask of its functions, then those with another one. Every function of `signatures.ts` counts, and dropping what one holds needs nothing. */
const INTERFACES: Readonly<Record<string, readonly [mask: number, ...others: readonly (readonly [mask: number, names: string])[]]>> = {
  'wasi:cli/environment': [Cap.NONE, [Cap.ENV, 'get-environment']],
  'wasi:cli/exit': [Cap.NONE],
  'wasi:cli/stdin': [Cap.CONSOLE],
  'wasi:cli/stdout': [Cap.CONSOLE],
  'wasi:cli/stderr': [Cap.CONSOLE],
  'wasi:cli/terminal-input': [Cap.NONE],
  'wasi:cli/terminal-output': [Cap.NONE],
  'wasi:cli/terminal-stdin': [Cap.CONSOLE],
  'wasi:cli/terminal-stdout': [Cap.CONSOLE],
  'wasi:cli/terminal-stderr': [Cap.CONSOLE],
  'wasi:clocks/monotonic-clock': [Cap.TIME],
  'wasi:clocks/timezone': [Cap.TIME],
  'wasi:clocks/wall-clock': [Cap.TIME],
  'wasi:filesystem/preopens': [Cap.FS_READ],
  'wasi:filesystem/types': [
    Cap.FS_READ,
    [Cap.NONE, 'filesystem-error-code'],
    [Cap.FS_WRITE, methods('descriptor', 'write-via-stream append-via-stream sync sync-data set-size set-times set-times-at write create-directory-at')],
    [Cap.FS_WRITE, methods('descriptor', 'link-at remove-directory-at rename-at symlink-at unlink-file-at')],
  ],
  'wasi:http/outgoing-handler': [Cap.NETWORK],
  // A guest that only answers requests uses the same types.
  'wasi:http/types': [Cap.NONE],
  'wasi:io/error': [Cap.NONE],
  'wasi:io/poll': [Cap.NONE],
  'wasi:io/streams': [Cap.NONE],
  'wasi:random/insecure': [Cap.RANDOM],
  'wasi:random/insecure-seed': [Cap.RANDOM],
  'wasi:random/random': [Cap.RANDOM],
  'wasi:sockets/instance-network': [Cap.NETWORK],
  'wasi:sockets/ip-name-lookup': [Cap.NETWORK],
  'wasi:sockets/network': [Cap.NONE],
  'wasi:sockets/tcp': [Cap.NETWORK],
  'wasi:sockets/tcp-create-socket': [Cap.NETWORK],
  'wasi:sockets/udp': [Cap.NETWORK],
  'wasi:sockets/udp-create-socket': [Cap.NETWORK],
};

const PREVIEW1: readonly (readonly [mask: number, names: string])[] = [
  [Cap.NONE, 'args_get args_sizes_get fd_advise fd_close fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_renumber fd_seek fd_tell'],
  [Cap.NONE, 'poll_oneoff proc_exit proc_raise sched_yield'],
  [Cap.NETWORK, 'sock_recv sock_send sock_shutdown'],
  [Cap.CONSOLE, 'fd_read fd_write'],
  [Cap.ENV, 'environ_get environ_sizes_get'],
  [Cap.TIME, 'clock_res_get clock_time_get'],
  [Cap.RANDOM, 'random_get'],
  [Cap.FS_READ, 'fd_pread fd_prestat_get fd_prestat_dir_name fd_readdir path_filestat_get path_open path_readlink'],
  [Cap.FS_WRITE, 'fd_allocate fd_datasync fd_filestat_set_size fd_filestat_set_times fd_pwrite fd_sync path_create_directory'],
  [Cap.FS_WRITE, 'path_filestat_set_times path_link path_remove_directory path_rename path_symlink path_unlink_file'],
];

const REQUIREMENTS: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map([
  ...Object.entries(INTERFACES).map(([module, [mask, ...others]]) => [module, ofInterface(module, mask, others)] as const),
  ['wasi_snapshot_preview1', masks([...PREVIEW1, [Cap.NETWORK, 'sock_accept']])],
  ['wasi_unstable', masks(PREVIEW1)],
]);

function ofInterface(module: string, mask: number, others: readonly (readonly [mask: number, names: string])[]): ReadonlyMap<string, number> {
  const { functions, resources } = WASI_INTERFACES.get(module) as Interface;
  const drops = resources.map((resource) => [`[resource-drop]${resource}`, Cap.NONE] as const);
  return new Map([...[...functions.keys()].map((name) => [name, mask] as const), ...masks(others), ...drops]);
}

/** Names, separated by spaces, by the mask that they imply. */
function masks(groups: readonly (readonly [mask: number, names: string])[]): ReadonlyMap<string, number> {
  return new Map(groups.flatMap(([mask, names]) => names.split(' ').map((name) => [name, mask] as const)));
}

function methods(resource: string, names: string): string {
  return names
    .split(' ')
    .map((name) => `[method]${resource}.${name}`)
    .join(' ');
}
