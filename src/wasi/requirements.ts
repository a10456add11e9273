// Which capability each function of WASI implies: what a module's imports say that it may do, before it runs. Whether a call succeeds is decided by the
// function itself, at every call.
import { Cap } from '../capabilities.ts';
import { unimplemented } from './preview1/functions.ts';

/**
 * The {@link Cap} mask that the import `name` of `module` implies: 0 for what every guest may use, undefined for what this host does not provide.
 * @param module an interface of WASI 0.2, with or without its version (`wasi:filesystem/types@0.2.3`), or `wasi_snapshot_preview1`
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

const REQUIREMENTS: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map([
  ['wasi:cli/environment', functions([Cap.ENV, 'get-environment'], [Cap.NONE, 'get-arguments initial-cwd'])],
  ['wasi:cli/exit', functions([Cap.NONE, 'exit exit-with-code'])],
  ['wasi:cli/stdin', functions([Cap.CONSOLE, 'get-stdin'])],
  ['wasi:cli/stdout', functions([Cap.CONSOLE, 'get-stdout'])],
  ['wasi:cli/stderr', functions([Cap.CONSOLE, 'get-stderr'])],
  ['wasi:cli/terminal-input', functions([Cap.NONE, '[resource-drop]terminal-input'])],
  ['wasi:cli/terminal-output', functions([Cap.NONE, '[resource-drop]terminal-output'])],
  ['wasi:cli/terminal-stdin', functions([Cap.CONSOLE, 'get-terminal-stdin'])],
  ['wasi:cli/terminal-stdout', functions([Cap.CONSOLE, 'get-terminal-stdout'])],
  ['wasi:cli/terminal-stderr', functions([Cap.CONSOLE, 'get-terminal-stderr'])],
  ['wasi:clocks/monotonic-clock', functions([Cap.TIME, 'now resolution subscribe-instant subscribe-duration'])],
  ['wasi:clocks/wall-clock', functions([Cap.TIME, 'now resolution'])],
  ['wasi:random/random', functions([Cap.RANDOM, 'get-random-bytes get-random-u64'])],
  ['wasi:random/insecure', functions([Cap.RANDOM, 'get-insecure-random-bytes get-insecure-random-u64'])],
  ['wasi:random/insecure-seed', functions([Cap.RANDOM, 'insecure-seed'])],
  ['wasi:io/error', functions([Cap.NONE, '[resource-drop]error [method]error.to-debug-string'])],
  ['wasi:io/poll', functions([Cap.NONE, 'poll [resource-drop]pollable', ...methods('pollable', 'ready block')])],
  [
    'wasi:io/streams',
    functions(
      [Cap.NONE, '[resource-drop]input-stream [resource-drop]output-stream'],
      [Cap.NONE, ...methods('input-stream', 'read blocking-read skip blocking-skip subscribe')],
      [
        Cap.NONE,
        ...methods('output-stream', 'check-write write blocking-write-and-flush flush blocking-flush subscribe write-zeroes'),
        ...methods('output-stream', 'blocking-write-zeroes-and-flush splice blocking-splice'),
      ],
    ),
  ],
  ['wasi:filesystem/preopens', functions([Cap.FS_READ, 'get-directories'])],
  [
    'wasi:filesystem/types',
    functions(
      [Cap.NONE, 'filesystem-error-code [resource-drop]descriptor [resource-drop]directory-entry-stream'],
      [
        Cap.FS_READ,
        ...methods('descriptor', 'read-via-stream advise get-flags get-type read read-directory stat stat-at open-at readlink-at is-same-object'),
        ...methods('descriptor', 'metadata-hash metadata-hash-at'),
        ...methods('directory-entry-stream', 'read-directory-entry'),
      ],
      [
        Cap.FS_WRITE,
        ...methods('descriptor', 'write-via-stream append-via-stream sync sync-data set-size set-times set-times-at write create-directory-at'),
        ...methods('descriptor', 'link-at remove-directory-at rename-at symlink-at unlink-file-at'),
      ],
    ),
  ],
  [
    'wasi_snapshot_preview1',
    functions(
      [Cap.NONE, 'args_get args_sizes_get fd_advise fd_close fd_fdstat_get fd_fdstat_set_flags fd_filestat_get fd_renumber fd_seek fd_tell'],
      [Cap.NONE, 'poll_oneoff proc_exit sched_yield', ...unimplemented],
      [Cap.NETWORK, 'sock_accept sock_recv sock_send sock_shutdown'],
      [Cap.CONSOLE, 'fd_read fd_write'],
      [Cap.ENV, 'environ_get environ_sizes_get'],
      [Cap.TIME, 'clock_res_get clock_time_get'],
      [Cap.RANDOM, 'random_get'],
      [Cap.FS_READ, 'fd_pread fd_prestat_get fd_prestat_dir_name fd_readdir path_filestat_get path_open path_readlink'],
      [Cap.FS_WRITE, 'fd_allocate fd_datasync fd_filestat_set_size fd_filestat_set_times fd_pwrite fd_sync path_create_directory'],
      [Cap.FS_WRITE, 'path_filestat_set_times path_link path_remove_directory path_rename path_symlink path_unlink_file'],
    ),
  ],
]);

/** Names, separated by spaces, by the mask that they imply. */
function functions(...groups: readonly (readonly [mask: number, ...names: string[]])[]): ReadonlyMap<string, number> {
  return new Map(groups.flatMap(([mask, ...names]) => names.flatMap((list) => list.split(' ').map((name) => [name, mask] as const))));
}

function methods(resource: string, names: string): string[] {
  return names.split(' ').map((name) => `[method]${resource}.${name}`);
}
