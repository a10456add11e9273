# Modules that compute, nothing of which depends on the host: the output is that of any Python 3.11.
import base64, collections, configparser, csv, datetime, decimal, difflib, fractions, hashlib, html, io, itertools, json, pickle, random, re, statistics
import string, struct, textwrap, zlib

value = {'text': 'grüße\u2028\U0001f600"\\', 'numbers': [0, -1, 1.5, 1e300, 2**70], 'nested': {'list': [[], {}, None, True]}}
text = json.dumps(value, sort_keys=True)
print(text, json.loads(text) == value, len(json.dumps(value, ensure_ascii=False, indent=2)))
try:
    json.loads('{"a": [1, 2,}')
except json.JSONDecodeError as error:
    print(error)

print(re.findall(r'(?P<year>\d{4})-(\d\d)', 'from 2024-01 to 2025-12'), re.sub(r'(?i)(b+)(?=c)', lambda match: match[1].upper() + '!', 'abbc bbd bc'))
print(re.split(r'\s*[,;]\s*', 'a , b;c,d'), re.fullmatch(r'(a|ab)(c|bcd)(d*)', 'abcd').groups(), bool(re.search(r'(?<!x)y', 'xy')))

table = io.StringIO()
csv.writer(table).writerows([['a', 'b,c', 'd"e'], [1, None, 'line\nbreak'], ['ü', '', ' ']])
print(repr(table.getvalue()), list(csv.reader(io.StringIO(table.getvalue()))))
print(list(csv.DictReader(io.StringIO('x;y\n1;2\n'), delimiter=';')))

words = 'the quick brown fox jumps over the lazy dog the end'.split()
print(collections.Counter(words).most_common(2), dict(collections.ChainMap({'a': 1}, {'a': 2, 'b': 3})), collections.deque(range(9), maxlen=3))
ordered = collections.OrderedDict(zip('abc', range(3)))
ordered.move_to_end('a')
print(list(ordered), list(itertools.islice(itertools.permutations('abcd', 3), 20, None)), [sum(group) for _, group in itertools.groupby([1, 1, 2, 3, 3, 3])])

decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt(), fractions.Fraction(355, 113) + fractions.Fraction('0.125'), statistics.stdev([2, 4, 4, 4, 5, 5, 7, 9]))
print(datetime.datetime(2024, 2, 29, 23, 59, 59, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=365, seconds=1), datetime.date(2024, 12, 30).isocalendar())
print(datetime.datetime.strptime('5 Mar 2021 07:08', '%d %b %Y %H:%M').strftime('%A %j %U %d.%m.%y'))
print(hashlib.sha256(b'x' * 100_000).hexdigest(), hashlib.md5(text.encode()).hexdigest(), hashlib.blake2b(b'key', digest_size=8).hexdigest())
packed = zlib.compress(b'abc' * 50_000)
print(zlib.decompress(packed) == b'abc' * 50_000, len(packed) < 1_000, zlib.crc32(b'gloveport'), base64.b85encode(bytes(range(20))))
print(struct.pack('<hIqd4s', -2, 3, -4, 0.1, b'wasm').hex(), struct.unpack('>3H', bytes(range(6))), pickle.loads(pickle.dumps(value)) == value)
print(textwrap.fill('a paragraph that is longer than the width of its column', 20), html.escape('<a href="x">&</a>'), string.Template('$a and ${b}').substitute(a=1, b=2))
print(list(difflib.unified_diff(['a\n', 'b\n', 'c\n'], ['a\n', 'c\n', 'd\n'], lineterm='')), difflib.get_close_matches('appel', ['ape', 'apple', 'peach']))
settings = configparser.ConfigParser()
settings.read_string('[one]\nkey = value\n[two]\nbase = /x\npath = %(base)s/y\n')
print(settings.sections(), settings['two']['path'])
generator = random.Random(20260101)
print([generator.randrange(1000) for _ in range(5)], generator.sample(range(100), 4), round(generator.gauss(0, 1), 12))
