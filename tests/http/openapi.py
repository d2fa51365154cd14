#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usherd's table of routes and api/openapi.yaml say the same: paths, methods, query parameters.

Reads only the lines it needs, by their indentation, so that it needs no YAML library.
Usage: openapi.py USHERD OPENAPI_YAML
"""
import re
import subprocess
import sys


def read_openapi(path):
    routes = {}
    url = method = None
    in_paths = False
    for line in open(path, encoding="utf-8"):
        if re.match(r"\S", line):
            in_paths = line.startswith("paths:")
        if not in_paths:
            continue
        if match := re.match(r"  (/\S*):$", line):
            url = match[1]
        elif match := re.match(r"    (get|put|post|delete|patch|head):$", line):
            method = match[1].upper()
            assert (method, url) not in routes, f"{method} {url} twice"
            routes[method, url] = set()
        elif match := re.match(r"        - \$ref: '#/components/parameters/query-(\w+)'$", line):
            routes[method, url].add(match[1])
    return routes


def read_server(program):
    routes = {}
    text = subprocess.run([program, "--routes"], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        method, url, query = line.split(" ")
        routes[method, url] = set(query.split(",")) - {""}
    return routes


def main():
    server, described = read_server(sys.argv[1]), read_openapi(sys.argv[2])
    assert len(server) > 20
    wrong = 0
    for route in sorted(server.keys() | described.keys()):
        name = " ".join(route)
        if route not in described:
            print(f"{name}: not in openapi.yaml")
        elif route not in server:
            print(f"{name}: not served")
        elif server[route] != described[route]:
            print(f"{name}: takes {sorted(server[route])}, described are {sorted(described[route])}")
        else:
            continue
        wrong += 1
    sys.exit(1 if wrong else 0)


main()
