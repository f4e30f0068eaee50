#!/bin/sh
# Puts together the root of the image: Node with the libraries that it names, certificates, a user without rights, and
# Sallyport. Used by the Dockerfile; the tests build the same root and run it.
#
#   deploy/make-root.sh CHECKOUT ROOT [NODE]
#
# CHECKOUT has `dist/` (npm run build) and a node_modules of what ships alone.
set -eu

checkout=$1
root=$2
node=$(readlink -f "${3:-$(command -v node)}")

mkdir -p "$root/usr/bin" "$root/opt/sallyport/deploy" "$root/etc/ssl/certs" "$root/tmp" "$root/data" "$root/etc/sallyport"
cp "$node" "$root/usr/bin/node"

# The loader and the shared libraries, at the places where the loader looks for them. Names are looked up through
# libnss and libresolv, which nothing names before it is needed.
copy_library() {
  mkdir -p "$root$(dirname "$1")"
  cp -L "$1" "$root$1"
}
ldd "$node" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p' | while read -r library; do
  copy_library "$library"
done
libc=$(ldd "$node" | sed -n 's/.*libc\.so\.6 => \(\/[^ ]*\) .*/\1/p')
for name in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
  if [ -e "$(dirname "$libc")/$name" ]; then copy_library "$(dirname "$libc")/$name"; fi
done

echo 'sallyport:x:65532:65532:sallyport:/data:/sbin/nologin' > "$root/etc/passwd"
echo 'sallyport:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi

for part in bin dist policies schema samples node_modules package.json LICENSE README.md CHANGELOG.md; do
  cp -R "$checkout/$part" "$root/opt/sallyport/"
done
cp "$checkout/deploy/ready.mjs" "$root/opt/sallyport/deploy/"

chmod 1777 "$root/tmp"
chmod 700 "$root/data"
if [ "$(id -u)" = 0 ]; then chown 65532:65532 "$root/data"; fi
