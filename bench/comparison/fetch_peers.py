"""Fetches the peers that Debian and npm packages give into a folder, without touching the system.

Debian's programs are unpacked from the newest Debian release (they are static and run on Debian 12); ripgrep and npm's
packages are the ordinary ones.
"""
import os
import subprocess

NEWEST = {"prometheus": "prometheus", "promtool": "promtool", "victoria-metrics": "victoria-metrics"}
ORDINARY = ("ripgrep",)
NPM = ("@duckdb/node-api", "chdb")


def apt_options(folder):
    """A second state of apt that sees Debian unstable through the mirror that this machine uses already."""
    for name in ("apt/lists/partial", "apt/cache/archives/partial"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"],
                             check=True, capture_output=True, text=True).stdout
    mirror = next(line.split()[0] for line in targets.splitlines() if line.endswith(" bookworm"))
    sources = os.path.join(folder, "apt/sources.list")
    with open(sources, "w") as file:
        file.write(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} sid main\n")
    options = ["-oDir::Etc::sourcelist=" + sources, "-oDir::Etc::sourceparts=-",
               "-oDir::State::Lists=" + os.path.join(folder, "apt/lists"),
               "-oDir::Cache=" + os.path.join(folder, "apt/cache"), "-oAPT::Sandbox::User=root", "-qq"]
    if len(os.listdir(os.path.join(folder, "apt/lists"))) <= 2:
        subprocess.run(["apt-get", *options, "update"], check=True)
    return options


def unpack_package(folder, package, options):
    target = os.path.join(folder, "deb", package)
    if os.path.exists(target):
        return
    os.makedirs(os.path.join(folder, "deb"), exist_ok=True)
    subprocess.run(["apt-get", *options, "download", package], check=True, cwd=os.path.join(folder, "deb"))
    files = [name for name in os.listdir(os.path.join(folder, "deb")) if name.startswith(package + "_")]
    subprocess.run(["dpkg", "-x", os.path.join(folder, "deb", sorted(files)[-1]), target], check=True)


def fetch(folder):
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    options = apt_options(folder)
    for package in NEWEST:
        unpack_package(folder, package, options)
    for package in ORDINARY:
        unpack_package(folder, package, ["-qq"])
    npm = os.path.join(folder, "npm")
    os.makedirs(npm, exist_ok=True)
    if not os.path.exists(os.path.join(npm, "package.json")):
        with open(os.path.join(npm, "package.json"), "w") as file:
            file.write('{"private":true}\n')
    for package in NPM:
        if not os.path.exists(os.path.join(npm, "node_modules", package)):
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", package], check=True, cwd=npm)
