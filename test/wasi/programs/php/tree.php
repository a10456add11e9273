<?php
// What a PHP program does with its extensions and with files below the directory that it is given.
chdir('/work');
echo json_encode(['text' => "grüße\n", 'list' => [1, 2.5, null, true]]), "\n", var_export(json_decode('{"a":[{"b":null}]}', true)['a'], true), "\n";
echo hash('sha256', str_repeat('x', 100000)), ' ', preg_replace_callback('/(\d{4})-(\d\d)/', fn ($m) => $m[2] . '.' . $m[1], 'from 2024-01 to 2025-12'), "\n";
echo mb_strtoupper('straße'), ' ', bin2hex(pack('vNd', 1, 2, 0.5)), ' ', gmdate('c', 1709251199), ' ', number_format(1234567.891, 2), "\n";
echo (new SimpleXMLElement('<a><b c="1">x</b><b>y</b></a>'))->b[1], ' ', implode(',', array_unique([3, 1, 3])), ' ', intdiv(7, 2), "\n";

for ($number = 0; $number < 100; $number++) {
    $folder = 'many/d' . $number % 10;
    if (!is_dir($folder)) mkdir($folder, 0777, true);
    file_put_contents("$folder/f$number.txt", str_repeat('x', $number));
}
$found = iterator_to_array(new RecursiveIteratorIterator(new RecursiveDirectoryIterator('many', FilesystemIterator::SKIP_DOTS)), false);
echo count($found), ' ', array_sum(array_map(fn ($file) => $file->getSize(), $found)), ' ', count(glob('many/*/*7.txt')), "\n";

$file = fopen('data.bin', 'w+');
fwrite($file, str_repeat('0123456789', 100));
fseek($file, -4, SEEK_END);
echo fread($file, 10), ' ', ftell($file), ' ';
ftruncate($file, 10);
rewind($file);
echo strlen(stream_get_contents($file)), "\n";
fclose($file);
file_put_contents('data.bin', 'more', FILE_APPEND);
echo file_get_contents('data.bin'), ' ', filesize('data.bin'), ' ', filetype('many'), "\n";
copy('data.bin', 'copy.bin');
rename('copy.bin', 'many/moved.bin');
unlink('data.bin');
echo implode(' ', scandir('.')), ' ', implode(' ', array_diff(scandir('many'), ['.', '..'])), "\n";

$table = fopen('table.csv', 'w');
foreach (range(0, 999) as $number) fputcsv($table, [$number, $number ** 2, "\"$number\""]);
fclose($table);
$sum = 0;
foreach (new SplFileObject('table.csv') as $line) $sum += (int) (str_getcsv($line)[1] ?? 0);
echo $sum, ' ', filesize('table.csv'), "\n";

$database = new PDO('sqlite:/work/test.db');
$database->exec('CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)');
$database->beginTransaction();
$insert = $database->prepare('INSERT INTO t(name) VALUES (?)');
for ($number = 0; $number < 1000; $number++) $insert->execute(["name $number"]);
$database->commit();
echo $database->query('SELECT count(*), max(name) FROM t')->fetch(PDO::FETCH_NUM)[1], ' ', $database->query('PRAGMA integrity_check')->fetchColumn(), "\n";
foreach (['missing', '/etc/passwd', '../../etc/passwd'] as $path) echo var_export(@file_get_contents($path), true), ' ';
echo var_export(@mkdir('many'), true), ' ', var_export(@rmdir('many'), true), "\n";
exit(5);
