// Inputs that were once answered wrongly, made small, and those that rewriters before this one were known to fail on: as hexadecimal bytes.

export const regressions: Readonly<Record<string, string>> = {
  'a null of a defined type': '0061736d01000000010401600000030201000a07010500d0001a0b',
  'an element section of 2^32 - 1 segments': '0061736d010000000905ffffffff0f',
  'an element segment of 2^32 - 1 functions': '0061736d0100000001040160000003020100040401700001090a010041000bffffffff0f0a040102000b',
  'a type section of 2^32 - 1 types': '0061736d010000000105ffffffff0f',
  'a br_table of 2^32 - 1 labels': '0061736d01000000010401600000030201000a0d010b0041000effffffff0f000b',
  'a group of 2^32 - 1 locals': '0061736d01000000010401600000030201000a0a010801ffffffff0f7f0b',
  'two start sections': '0061736d01000000010401600000030201000801000801000a040102000b',
  'a body that ends before its code': '0061736d01000000010401600000030201000a0401020003',
  'an over-long number of a section': '0061736d010000000184808080800000',
  'the header of a component': '0061736d0d000100',
  nothing: '',
};
