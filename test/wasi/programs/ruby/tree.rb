# What a Ruby program does with its standard library and with files below the directory that it is given.
require 'json'
require 'csv'
require 'set'
require 'digest'
require 'fileutils'
require 'find'
require 'tempfile'
require 'pathname'
require 'stringio'
require 'erb'
require 'time'
require 'bigdecimal'

Dir.chdir(ARGV[0])
puts JSON.generate({ 'text' => "grüße\n", 'list' => [1, 2.5, nil, true] }), JSON.parse('{"a":[{"b":null}]}').inspect
puts CSV.generate { |csv| csv << ['a', 'b,c', "d\"e"] }, CSV.parse("x;y\n1;2\n", headers: true, col_sep: ';').map(&:to_h).inspect
puts Digest::SHA256.hexdigest('x' * 100_000), Set[3, 1, 2].sort.inspect, 'from 2024-01 to 2025-12'.scan(/(?<year>\d{4})-(\d\d)/).inspect
puts ERB.new('<% 3.times do |i| %><%= i %>,<% end %>').result, (BigDecimal('1') / 3).round(20).to_s, Time.at(1_709_251_199).utc.iso8601
puts 'Grüße'.unicode_normalize(:nfd).length, 'straße'.upcase, 'ab'.unpack('C*').inspect, [1, -2, 3.5].pack('lsd').unpack1('H*')

100.times do |number|
  FileUtils.mkdir_p("many/d#{number % 10}")
  File.write("many/d#{number % 10}/f#{number}.txt", 'x' * number)
end
found = Find.find('many').select { |path| File.file?(path) }
puts found.size, found.sum { |path| File.size(path) }, Dir.glob('many/**/*7.txt').sort.first(2).inspect

File.open('data.bin', 'wb+') do |file|
  file.write((0..255).to_a.pack('C*') * 4)
  file.seek(-4, IO::SEEK_END)
  puts file.read.bytes.inspect, file.pos
  file.truncate(10)
  file.rewind
  puts file.read.size
end
File.open('data.bin', 'ab') { |file| file << 'more' }
puts File.binread('data.bin').inspect, File.stat('data.bin').size, IO.foreach('many/d9/f99.txt').first.size

FileUtils.cp_r('many', 'copied')
FileUtils.mv('copied/d3', 'moved')
FileUtils.rm_rf('copied/d4')
puts Dir.children('copied').sort.inspect, Dir.children('moved').size, Dir.exist?('copied/d3')
File.symlink('many/d1', 'link')
puts File.readlink('link'), File.symlink?('link'), Dir.children('link').size, Pathname('many/d1').relative_path_from(Pathname('copied')).to_s

Tempfile.create('temporary', '.') { |file| file.write('gone'); file.flush; puts File.size(file.path) }
puts Dir.children('.').sort.inspect

[-> { File.read('missing') }, -> { Dir.mkdir('many') }, -> { File.read('many') }, -> { Dir.rmdir('many') }, -> { File.read('/etc/passwd') }].each do |work|
  work.call
  puts 'nothing'
rescue SystemCallError => error
  puts error.class
end
warn 'done'
exit 3
