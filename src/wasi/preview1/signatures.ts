// The types of wasi_snapshot_preview1's functions. The engine passes whatever a module declares: it has to be the real type, or the host's functions would
// get values that they never expect.
import type { CoreFunctionType } from '../../component/types.ts';

/** Whether `declared` is the type of the function `name`; false for names that preview 1 does not have. */
export function isPreview1Signature(name: string, declared: CoreFunctionType): boolean {
  const params = PARAMETERS.get(name);
  if (params === undefined || declared.params.join(' ') !== params.join(' ')) return false;
  return declared.results.join(' ') === (name === 'proc_exit' ? '' : 'i32');
}

// A letter for each parameter: i for i32, l for i64. All but `proc_exit` have the errno as their result.
/** The parameters of each function. */
export const PARAMETERS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    '': 'sched_yield',
    i: 'fd_close fd_datasync fd_sync proc_exit proc_raise',
    ii:
      'args_get args_sizes_get environ_get environ_sizes_get clock_res_get fd_fdstat_get fd_fdstat_set_flags fd_filestat_get fd_prestat_get ' +
      'fd_renumber fd_tell random_get sock_shutdown',
    il: 'fd_filestat_set_size',
    iii: 'fd_prestat_dir_name path_create_directory path_remove_directory path_unlink_file sock_accept',
    ili: 'clock_time_get',
    ill: 'fd_allocate fd_fdstat_set_rights',
    iiii: 'fd_read fd_write poll_oneoff',
    ilii: 'fd_seek',
    illi: 'fd_advise fd_filestat_set_times',
    iiiii: 'path_filestat_get path_symlink sock_send',
    iiili: 'fd_pread fd_pwrite fd_readdir',
    iiiiii: 'path_readlink path_rename sock_recv',
    iiiiiii: 'path_link',
    iiiilli: 'path_filestat_set_times',
    iiiiillii: 'path_open',
  }).flatMap(([letters, names]) => names.split(' ').map((name) => [name, [...letters].map((letter) => (letter === 'l' ? 'i64' : 'i32'))] as const)),
);
