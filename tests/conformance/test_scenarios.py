"""The scenarios against the sandbox: every note is what AWS documents, every answer has the shape of botocore's models."""

import unittest

import botocore.config

import scenarios
from conformance import CONFIG, Case, client, enterable, session
from expected import EXPECTED


class Scenarios(Case):
    maxDiff = None

    def walk(self, scenario):
        # The service's own checks are wanted, not botocore's.
        config = CONFIG.merge(botocore.config.Config(parameter_validation=False))
        keys = session(enterable()[8])
        walk = scenarios.Walk(lambda service, region: client(service, region, keys, config), self.shape)
        scenario(walk)
        self.assertEqual(walk.notes, EXPECTED[scenario.__name__])


def _test(scenario):
    return lambda self: self.walk(scenario)


for _scenario in scenarios.ALL:
    setattr(Scenarios, f"test_{_scenario.__name__}", _test(_scenario))


if __name__ == "__main__":
    unittest.main()
