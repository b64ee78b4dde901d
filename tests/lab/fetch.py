# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Fetches what the table names, once, and checks it against the digests that the table records."""

from __future__ import annotations

import concurrent.futures
import fnmatch
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import ssl
import stat
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile

import catalogue
from layout import LabError, cache_dir, lock, say

# The program of a server's folder, beside its clients, that runs the server.
DAEMON = "client/server"
# What decides about the content of a server's folder, so that a changed entry is fetched anew.
RECIPE = ("artifact", "members", "tree_sha256", "inner", "suite", "packages", "package_version", "daemon", "clients")
CHUNK = 8 << 20
CONNECTIONS = 4
TIMEOUT = 60
# Libraries of this suite run on every later one as well.
HOME_SUITE = "bookworm"
# What Debian's packages depend on and a server does without.
NOT_NEEDED = re.compile(r"^(debconf|debianutils|dpkg|tar|perl|libperl|libconfig-inifiles-perl)")


def server_tree(server):
    """The folder of the unpacked server, fetched if it is not there."""
    entry = catalogue.SERVERS.get(server)
    if entry is None:
        raise LabError("no server %r in the table; there are: %s" % (server, ", ".join(sorted(catalogue.SERVERS))))
    recipe = repr([entry.get(key) for key in RECIPE])
    tree = cache_dir() / "servers" / ("%s-%s" % (server, hashlib.sha256(recipe.encode()).hexdigest()[:8]))
    if (tree / ".complete").exists():
        return tree
    with lock(cache_dir() / ("%s.lock" % server)):
        if (tree / ".complete").exists():
            return tree
        start = time.monotonic()
        fresh = tree.with_name(tree.name + ".part")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(tree, ignore_errors=True)
        fresh.mkdir(parents=True)
        {"maven": _maven, "npm": _npm, "debs": _debs}[entry["from"]](server, entry, fresh)
        if entry["from"] != "debs":
            _libraries(entry, fresh)
        _wrappers(entry, fresh)
        (fresh / ".complete").touch()
        fresh.rename(tree)
        say("%s is in the cache (%.1f s)" % (server, time.monotonic() - start))
    return tree


# ---------------------------------------------------------------- a Maven artifact, by ranges


def _maven_url(artifact):
    try:
        from maven_artifact import Artifact, Downloader
    except ImportError:
        raise LabError("the Python package maven-artifact is missing: pip install maven-artifact") from None
    return Downloader().resolver.uri_for_artifact(Artifact.parse(artifact))


def _open(url, span=None):
    """A bare system may have no certificates of its own; the Maven client's then do."""
    paths = ssl.get_default_verify_paths()
    context = ssl.create_default_context()
    if not paths.cafile and not (paths.capath and os.listdir(paths.capath)):
        import certifi
        context.load_verify_locations(certifi.where())
    request = urllib.request.Request(url, headers={"Range": "bytes=%s" % span} if span else {})
    return urllib.request.urlopen(request, timeout=TIMEOUT, context=context)


def _range(url, first, last):
    """Bytes first..last of a remote file; tried again when the connection breaks."""
    for attempt in (1, 2, 3, 4):
        try:
            with _open(url, "%d-%d" % (first, last)) as answer:
                if answer.status != 206:
                    raise LabError("%s: no range requests (status %d)" % (url, answer.status))
                data = answer.read()
            if len(data) == last - first + 1:
                return data
            problem = "short answer"
        except OSError as error:
            problem = str(error)
        time.sleep(attempt)
    raise LabError("cannot fetch %s: %s" % (url, problem))


def _length(url):
    try:
        with _open(url, "0-0") as answer:
            return int(answer.headers["Content-Range"].rpartition("/")[2])
    except (OSError, TypeError, ValueError) as error:
        raise LabError("cannot fetch %s: %s" % (url, error)) from None


class _Progress:
    def __init__(self, name, total):
        self.name, self.total, self.done = name, total, 0
        self.start = self.last = time.monotonic()
        self.guard = threading.Lock()

    def add(self, count):
        with self.guard:
            self.done += count
            now = time.monotonic()
            every = 0.2 if sys.stderr.isatty() else 5
            if now - self.last < every and self.done < self.total:
                return
            self.last = now
            text = "lab: %s: %d of %d MB, %.0f s" % (self.name, self.done >> 20, self.total >> 20, now - self.start)
            end = "\n" if self.done >= self.total or not sys.stderr.isatty() else ""
            print("\r" * sys.stderr.isatty() + text, end=end, file=sys.stderr, flush=True)


def _maven(server, entry, tree):
    """A sparse copy of the zip with nothing but the wanted members in it, fetched over a few connections."""
    url = _maven_url(entry["artifact"])
    length = _length(url)
    tail_at = max(0, length - (256 << 10))
    tail = _range(url, tail_at, length - 1)
    sparse = tree / "sparse.zip"
    with open(sparse, "w+b") as handle:
        handle.truncate(length)
        handle.seek(tail_at)
        handle.write(tail)
        handle.flush()
        with zipfile.ZipFile(io.BufferedReader(io.FileIO(handle.fileno(), closefd=False))) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [tail_at]
        wanted, spans = [], []
        for info, end in zip(infos, ends):
            if info.is_dir() or not any(fnmatch.fnmatch(info.filename, pattern) for pattern in entry["members"]):
                continue
            wanted.append(info.filename)
            if spans and info.header_offset - spans[-1][1] < (256 << 10):
                spans[-1][1] = end
            else:
                spans.append([info.header_offset, end])
        pieces = [(at, min(at + CHUNK, end) - 1) for first, end in spans for at in range(first, end, CHUNK)]
        pieces.sort(key=lambda piece: piece[0] - piece[1])
        progress = _Progress(server, sum(last - first + 1 for first, last in pieces))

        def get(piece):
            data = _range(url, *piece)
            os.pwrite(handle.fileno(), data, piece[0])
            progress.add(len(data))

        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            for done in [pool.submit(get, piece) for piece in pieces]:
                done.result()
        with zipfile.ZipFile(io.BufferedReader(io.FileIO(handle.fileno(), closefd=False))) as archive:
            for filename in wanted:
                archive.extract(filename, tree)
                mode = archive.getinfo(filename).external_attr >> 16
                os.chmod(tree / filename, 0o755 if mode & stat.S_IXUSR else 0o644)
    sparse.unlink()
    digest = tree_digest(tree, wanted)
    _expect(server, digest, entry["tree_sha256"])
    if "inner" in entry:
        _unpack(tree / entry["inner"], tree)


def _expect(what, digest, recorded):
    if digest != recorded:
        raise LabError("%s: what was fetched has the digest %s, the table says %s" % (what, digest, recorded))


def _unpack(archive, tree):
    done = subprocess.run(["tar", "-x", "-z", "--no-same-owner", "-f", archive, "-C", tree], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError("%s: %s" % (archive.name, done.stderr.strip()))
    archive.unlink()


def tree_digest(tree, members):
    lines = ["%s  %s\n" % (file_digest(tree / member), member) for member in sorted(members)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path):
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(handle.read()).hexdigest()


# ---------------------------------------------------------------- a package of npm


def _npm(server, entry, tree):
    """One package as it stands in the registry; what it depends on is not needed."""
    name, version = entry["artifact"].rsplit("@", 1)
    say("%s: fetching a package" % server)
    try:
        with _open("%s/%s/%s" % (_npm_registry(tree), name, version)) as answer:
            tarball = json.load(answer)["dist"]["tarball"]
        with _open(tarball) as answer, open(tree / "package.tgz", "wb") as handle:
            shutil.copyfileobj(answer, handle)
    except (OSError, KeyError, ValueError) as error:
        raise LabError("cannot fetch %s: %s" % (entry["artifact"], error)) from None
    _expect(server, file_digest(tree / "package.tgz"), entry["tree_sha256"])
    _unpack(tree / "package.tgz", tree)


def _npm_registry(tree):
    """The registry that npm is set up for; without npm, the one that Debian's package of it is set up for."""
    if shutil.which("npm"):
        asked = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=False).stdout.strip()
        if asked.startswith("http"):
            return asked.rstrip("/")
    unpacked = tree / "npm"
    unpacked.mkdir()
    try:
        for deb in Apt(HOME_SUITE).download(["npm"], unpacked):
            subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        for definitions in unpacked.glob("**/definitions.js"):
            found = re.search(r"default: '(https://registry[^']*)'", definitions.read_text())
            if found:
                return found.group(1).rstrip("/")
    finally:
        shutil.rmtree(unpacked)
    raise LabError("npm is not here, and its Debian package does not tell where the registry is")


# ---------------------------------------------------------------- Debian packages, without root


class Apt:
    """apt-get with folders of its own: needs no root, leaves the system's lists alone."""

    def __init__(self, suite=None):
        self.host = _codename()
        self.suite = suite or self.host
        if not self.host or not shutil.which("apt-get"):
            raise LabError("this needs a Debian machine (apt-get and its sources)")
        self.root = cache_dir() / "apt" / self.suite
        for folder in ("lists/partial", "archives/partial", "sources"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        self._sources()

    def _sources(self):
        """The host's own Debian sources, with the suite that is asked for."""
        # What `update` would ask for tells where the archives are, also on a machine that has never updated.
        asked = subprocess.run(["apt-get", *self.folders(), "update", "--print-uris"], capture_output=True, text=True, check=False)
        ring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        by = "[signed-by=%s] " % ring if os.path.exists(ring) else ""
        lines = set()
        for archive, release in re.findall(r"^'([^']+)/dists/([^/']+)/InRelease'", asked.stdout, re.MULTILINE):
            # sid has neither updates nor security.
            if release.partition("-")[0] == self.host and (self.suite != "sid" or release == self.host):
                lines.add("deb %s%s %s main\n" % (by, archive, release.replace(self.host, self.suite)))
        if not lines:
            raise LabError("found no Debian archive among apt's sources")
        (self.root / "sources" / "lab.list").write_text("".join(sorted(lines)))

    def folders(self):
        root = self.root
        return ["-o", "Dir::State=%s" % root, "-o", "Dir::State::Lists=%s/lists" % root, "-o", "Dir::State::status=%s/status" % root,
                "-o", "Dir::Cache=%s" % root, "-o", "Dir::Cache::archives=%s/archives" % root, "-o", "Dir::Log=%s" % root,
                "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-o", "APT::Update::Post-Invoke-Success=",
                "-o", "Acquire::Languages=none"]

    def options(self):
        # The index of another suite may be past its date, its signature is not.
        return ["-qq", *self.folders(), "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=%s/sources" % self.root,
                "-o", "Acquire::Check-Valid-Until=false"]

    def run(self, *words, cwd=None):
        return subprocess.run(["apt-get", *self.options(), *words], cwd=cwd, capture_output=True, text=True, check=False)

    def download(self, packages, into, version=None):
        """The named packages' files, of the version that is asked for or else the archive's newest."""
        return self._first(packages, version, lambda wanted: self.run("download", *wanted, cwd=into), into)

    def download_with_all(self, packages, into, version=None):
        """The same, and every package that they depend on, the C library included."""
        def fetch(wanted):
            asked = self.run("install", "--print-uris", "--no-install-recommends", "--yes", *wanted)
            files = re.findall(r"^'[^']+' ([^_ ]+)_", asked.stdout, re.MULTILINE)
            rest = [name for name in files if name not in packages and not NOT_NEEDED.match(name)]
            return self.run("download", *wanted, *rest, cwd=into) if files else asked
        return self._first(packages, version, fetch, into)

    def _first(self, packages, version, fetch, into):
        attempts = [["%s=%s" % (package, version) for package in packages]] if version else []
        attempts.append(packages)
        with lock(self.root / "lab.lock"):
            for update in (False, True):
                if update:
                    self.run("update")
                for wanted in attempts:
                    done = fetch(wanted)
                    if done.returncode == 0:
                        return sorted(pathlib.Path(into).glob("*.deb"))
        raise LabError("apt-get cannot fetch %s: %s" % (" ".join(packages), done.stderr.strip().replace("\n", " ")))


def _codename():
    try:
        with open("/etc/os-release") as handle:
            lines = dict(line.strip().split("=", 1) for line in handle if "=" in line)
    except OSError:
        return None
    return lines.get("VERSION_CODENAME", "").strip('"') if lines.get("ID", "").strip('"') == "debian" else None


def _debs(server, entry, tree):
    """The server's packages and all they depend on: it runs with its own C library, whatever the machine has."""
    packages = tree / "packages"
    packages.mkdir()
    say("%s: fetching packages" % server)
    for deb in Apt(entry["suite"]).download_with_all(entry["packages"], packages, entry["package_version"]):
        recorded = entry["deb_sha256"].get(deb.name)
        if recorded is not None:
            _expect(deb.name, file_digest(deb), recorded)
        elif deb.name.partition("_")[0] in entry["packages"]:
            say("%s: %s is newer than the table; apt's signed index vouches for it" % (server, deb.name))
        subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    shutil.rmtree(packages)
    _link_libraries(tree, tree.glob("**/*-linux-gnu/*.so*"))


# ---------------------------------------------------------------- libraries that the system lacks


def _libraries(entry, tree):
    known = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False,
                           env=dict(os.environ, PATH=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")).stdout
    known = {line.split()[0] for line in known.splitlines() if "=>" in line and "x86-64" in line}
    own = _link_libraries(tree, tree.glob(entry["own_libraries"]) if "own_libraries" in entry else ())
    lacking = [name for name in entry["libraries"] if name not in known | own]
    if not lacking:
        return
    packages = sorted({catalogue.LIBRARIES[name] for name in lacking})
    say("this system lacks %s: fetching %s" % (", ".join(lacking), ", ".join(packages)))
    unpacked = tree / "libs" / "unpacked"
    unpacked.mkdir()
    for deb in Apt(HOME_SUITE).download(packages, unpacked):
        subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        deb.unlink()
    # Never a second C library or anything else that the system has: only what was lacking.
    _link_libraries(tree, (found for found in unpacked.glob("**/*.so*") if found.name not in known | own))


def _link_libraries(tree, files):
    """Brings files together in the folder `libs`; their names."""
    folder = tree / "libs"
    folder.mkdir(exist_ok=True)
    names = set()
    for found in files:
        if found.name not in names:
            (folder / found.name).symlink_to(os.path.relpath(found, folder))
            names.add(found.name)
    return names


# ---------------------------------------------------------------- programs that find their libraries


def _wrappers(entry, tree):
    """Programs that find their libraries wherever they are called from; the daemon is one of them."""
    (tree / "client").mkdir()
    loader = "libs/ld-linux-x86-64.so.2"
    if (tree / loader).exists():
        call = 'exec "$d/%s" --library-path "$d/libs" "$d/%%s" "$@"' % loader
    else:
        call = 'LD_LIBRARY_PATH=$d/libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$d/%s" "$@"'
    for name, program in {DAEMON: entry["daemon"], **{"client/" + name: program for name, program in entry["clients"].items()}}.items():
        (tree / program).chmod(0o755)
        script = tree / name
        script.write_text("#!/bin/sh\nd=${0%/*}/..\n" + call % program + "\n")
        script.chmod(0o755)
