"""moto, other people's AWS, as a server on a free port for each module of tests."""

import os
import socket
import subprocess
import sys
import time

import boto3
import pytest


@pytest.fixture(scope="module")
def endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    else:
        raise RuntimeError("moto did not start")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


def session(endpoint, credentials=None):
    """Clients by service and Region, with somebody's credentials."""
    keys = credentials or {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret", "SessionToken": None}

    def client(service, region="us-east-1"):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    return client
