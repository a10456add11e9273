# What a program does with files, below the directory that it is given: everything is said with numbers and names, to be compared with what the host sees.
import csv, errno, filecmp, glob, io, json, os, pathlib, shutil, stat, sys, tempfile, zipfile

root = pathlib.Path(sys.argv[1])
os.chdir(root)

# Many files, found again in several ways.
for number in range(200):
    path = pathlib.Path('many') / f'd{number % 10}' / f'f{number:03}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('x' * number)
found = sorted((os.path.relpath(os.path.join(folder, name)), os.path.getsize(os.path.join(folder, name))) for folder, _, names in os.walk('many') for name in names)
print(len(found), sum(size for _, size in found), found[0], found[-1])
print(len(glob.glob('many/*/f*7.txt')), len(list(pathlib.Path('many').rglob('*'))), sorted(entry.name for entry in os.scandir('many') if entry.is_dir())[:3])

# Positions, modes, sizes.
with open('data.bin', 'w+b', buffering=0) as file:
    print(file.write(bytes(range(256)) * 4), file.seek(-6, os.SEEK_END), file.read(), file.truncate(10), file.seek(0), len(file.read()))
with open('data.bin', 'ab') as file:
    file.write(b'more')
    print(file.tell(), os.fstat(file.fileno()).st_size)
with open('data.bin', 'r+b') as file:
    file.seek(20)
    file.write(b'hole')
print(pathlib.Path('data.bin').read_bytes())
try:
    open('data.bin', 'x')
except FileExistsError as error:
    print(error.errno == errno.EEXIST, error.filename)

# Something large, in many small and few large pieces.
with open('large.txt', 'w', encoding='utf-8') as file:
    for number in range(100_000):
        file.write(f'{number} grüße\n')
with open('large.txt', encoding='utf-8') as file:
    print(os.path.getsize('large.txt'), sum(1 for _ in file), file.readline() == '')
shutil.copyfile('large.txt', 'copy.txt')
print(filecmp.cmp('large.txt', 'copy.txt', shallow=False))

# Trees: copied, moved, packed, removed.
shutil.copytree('many', 'copied')
shutil.move('copied/d3', 'moved')
os.rename('copied/d4/f004.txt', 'copied/d5/f005.txt')
print(sorted(os.listdir('copied/d5'))[:2], os.path.getsize('copied/d5/f005.txt'), len(os.listdir('moved')), len(os.listdir('copied/d4')))
os.replace('moved', 'copied/d3')
with zipfile.ZipFile('many.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
    for path, _ in found:
        archive.write(path)
with zipfile.ZipFile('many.zip') as archive:
    archive.extractall('unpacked')
    print(archive.testzip(), len(archive.namelist()))
print(filecmp.dircmp('many', 'unpacked/many').left_only, filecmp.dircmp('many', 'copied').right_only)
shutil.rmtree('unpacked')
print(os.path.exists('unpacked'))

# Links.
os.symlink('many/d1', 'link')
os.symlink('nowhere', 'dangling')
os.link('data.bin', 'twin.bin')
print(os.readlink('link'), len(os.listdir('link')), os.path.islink('dangling'), os.path.exists('dangling'), os.stat('twin.bin').st_nlink, os.path.samefile('data.bin', 'twin.bin'))
os.unlink('data.bin')
print(os.stat('twin.bin').st_nlink, stat.S_ISLNK(os.lstat('link').st_mode), stat.S_ISDIR(os.stat('link').st_mode))

# Times, and temporary files that go away.
os.utime('twin.bin', (1_000_000_000, 1_234_567_890))
print(os.stat('twin.bin').st_mtime, os.stat('twin.bin').st_atime)
with tempfile.TemporaryDirectory(dir='.') as folder:
    with tempfile.NamedTemporaryFile('w+', dir=folder) as file:
        json.dump({'a': [1, 2, 3]}, file)
        file.flush()
        print(json.loads(pathlib.Path(file.name).read_text()), len(os.listdir(folder)))
    print(os.listdir(folder))
print(os.path.exists(folder))

# What fails, fails as a program expects it.
def fails(work):
    try:
        work()
        return 'nothing'
    except OSError as error:
        return type(error).__name__
print(fails(lambda: open('missing')), fails(lambda: open('many')), fails(lambda: os.listdir('large.txt')), fails(lambda: os.mkdir('many')))
print(fails(lambda: os.rmdir('many')), fails(lambda: os.rename('missing', 'x')), fails(lambda: open('large.txt/below')), fails(lambda: os.unlink('many')) != 'nothing')
print(fails(lambda: open('/etc/passwd')), fails(lambda: open('../' * 20 + 'etc/passwd')), fails(lambda: os.symlink('/etc', 'out')))
with open('table.csv', 'w', newline='') as file:
    csv.writer(file).writerows([number, number**2, f'"{number}"'] for number in range(1000))
with open('table.csv', newline='') as file:
    print(sum(int(row[1]) for row in csv.reader(file)), os.path.getsize('table.csv'))
