// The entry point `gloveport`: run untrusted WebAssembly under a policy.
export {
  addCapability,
  Cap,
  type CapabilityName,
  capabilityNames,
  hasCapability,
  hasDangerousCapabilities,
  parseCapabilities,
  removeCapability,
} from './capabilities.ts';
export { ComponentError, type ErrorCategory, type ErrorCode, type ErrorDetails, errorCategories, GloveportError } from './errors.ts';
export { type Limits, type LimitsInput, type LimitsPreset, limits } from './limits.ts';
export type { Profile, ProfileEntry } from './metering/profile.ts';
export type { GuestExports } from './sandbox/exports.ts';
export { Guest, type GuestState, type RunResult } from './sandbox/guest.ts';
export type { Usage } from './sandbox/isolation.ts';
export { type CompileOptions, compile, Module, type ModuleExport, type ModuleImport, type Source } from './sandbox/module.ts';
export type { InputStreamOption } from './sandbox/input.ts';
export type { ClockOption, IsolationKind, SandboxOptions } from './sandbox/options.ts';
export type { OutputOption, OutputStreamOption } from './sandbox/output.ts';
export { type LoadOptions, Sandbox } from './sandbox/sandbox.ts';
export type { ByteSource } from './sandbox/source.ts';
export type { Time } from './wasi/clocks.ts';
export type { Access, AccessObserver } from './wasi/context.ts';
export { hostDirectory, hostFile, type Mount, memoryDirectory, memoryFile, overlay, readOnly } from './wasi/filesystem/mount.ts';
export type { SynchronousFileSystem } from './wasi/filesystem/volume.ts';
export type { HostRule, NetworkOptions } from './wasi/network/policy.ts';
export type { Lookup } from './wasi/network/resolver.ts';
export type { HostFunction, HostFunctions, HostInterface, HostResource } from './wasi/imports.ts';
