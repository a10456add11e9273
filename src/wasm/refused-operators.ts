// Operators of features that are known but not metered: a module that uses one is refused by the feature's name.

/** `[first, names, feature]`: names of consecutive opcodes, from `first` on. */
export const REFUSED: readonly (readonly [first: number, names: string, feature: string])[] = [
  [0xe0, 'cont.new cont.bind suspend resume resume_throw resume_throw_ref switch', 'stack switching'],

  [0xfb_0020, 'struct.new_desc struct.new_default_desc ref.get_desc ref.cast_desc_eq ref.cast_desc_eq_null', 'custom descriptors'],
  [0xfb_0025, 'br_on_cast_desc_eq br_on_cast_desc_eq_fail', 'custom descriptors'],
  [0xfb_0080, 'string.new_utf8 string.new_wtf16 string.const string.measure_utf8 string.measure_wtf8 string.measure_wtf16', 'stringref'],
  [0xfb_0086, 'string.encode_utf8 string.encode_wtf16 string.concat string.eq string.is_usv_sequence string.new_lossy_utf8', 'stringref'],
  [0xfb_008c, 'string.new_wtf8 string.encode_lossy_utf8 string.encode_wtf8 string.new_utf8_try', 'stringref'],
  [0xfb_0090, 'string.as_wtf8 stringview_wtf8.advance stringview_wtf8.encode_utf8 stringview_wtf8.slice', 'stringref'],
  [0xfb_0094, 'stringview_wtf8.encode_lossy_utf8 stringview_wtf8.encode_wtf8', 'stringref'],
  [0xfb_0098, 'string.as_wtf16 stringview_wtf16.length stringview_wtf16.get_codeunit stringview_wtf16.encode stringview_wtf16.slice', 'stringref'],
  [0xfb_00a0, 'string.as_iter stringview_iter.next stringview_iter.advance stringview_iter.rewind stringview_iter.slice', 'stringref'],
  [0xfb_00a8, 'string.compare string.from_code_point string.hash', 'stringref'],
  [0xfb_00b0, 'string.new_utf8_array string.new_wtf16_array string.encode_utf8_array string.encode_wtf16_array', 'stringref'],
  [0xfb_00b4, 'string.new_lossy_utf8_array string.new_wtf8_array string.encode_lossy_utf8_array string.encode_wtf8_array', 'stringref'],
  [0xfb_00b8, 'string.new_utf8_array_try', 'stringref'],

  [0xfc_0012, 'memory.discard', 'memory control'],
  [0xfc_0013, 'i64.add128 i64.sub128 i64.mul_wide_s i64.mul_wide_u', 'wide arithmetic'],
  [0xfc_0030, 'f32.load_f16 f32.store_f16', 'half precision'],

  [0xfd_0120, 'f16x8.splat f16x8.extract_lane f16x8.replace_lane', 'half precision'],
  [0xfd_0130, 'f16x8.abs f16x8.neg f16x8.sqrt f16x8.ceil f16x8.floor f16x8.trunc f16x8.nearest', 'half precision'],
  [0xfd_0137, 'f16x8.eq f16x8.ne f16x8.lt f16x8.gt f16x8.le f16x8.ge', 'half precision'],
  [0xfd_013d, 'f16x8.add f16x8.sub f16x8.mul f16x8.div f16x8.min f16x8.max f16x8.pmin f16x8.pmax', 'half precision'],
  [0xfd_0145, 'i16x8.trunc_sat_f16x8_s i16x8.trunc_sat_f16x8_u f16x8.convert_i16x8_s f16x8.convert_i16x8_u', 'half precision'],
  [0xfd_0149, 'f16x8.demote_f32x4_zero f16x8.demote_f64x2_zero f32x4.promote_low_f16x8', 'half precision'],
  [0xfd_014e, 'f16x8.madd f16x8.nmadd', 'half precision'],

  [0xfe_0004, 'pause', 'shared-everything threads'],
  [0xfe_004f, 'global.atomic.get global.atomic.set', 'shared-everything threads'],
  ...rmw(0xfe_0051, 'global'),
  [0xfe_0058, 'table.atomic.get table.atomic.set table.atomic.rmw.xchg table.atomic.rmw.cmpxchg', 'shared-everything threads'],
  [0xfe_005c, 'struct.atomic.get struct.atomic.get_s struct.atomic.get_u struct.atomic.set', 'shared-everything threads'],
  ...rmw(0xfe_0060, 'struct'),
  [0xfe_0067, 'array.atomic.get array.atomic.get_s array.atomic.get_u array.atomic.set', 'shared-everything threads'],
  ...rmw(0xfe_006b, 'array'),
  [0xfe_0072, 'ref.i31_shared', 'shared-everything threads'],
];

function rmw(first: number, of: string): [number, string, string][] {
  return ['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg'].map((name, index) => [first + index, `${of}.atomic.rmw.${name}`, 'shared-everything threads']);
}
