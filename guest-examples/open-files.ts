// Loaded into jco before it starts: parts of it read WIT through preview2-shim, which shows no directory unless told to.
import * as filesystem from '@bytecodealliance/preview2-shim/filesystem';

// The declarations are those for browsers.
const { _addPreopen: show } = filesystem as unknown as { _addPreopen(guestPath: string, hostPath: string): void };
show('/', '/');
