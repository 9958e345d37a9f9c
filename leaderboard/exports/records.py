"""Measured results as records of Every Eval Ever (schema 0.3.0) and of the Hugging Face Hub (``.eval_results``)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from flythrough.results.metrics import METRICS
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.results.schema import Result, Value, read_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject

from ..tiers import MEANINGS, Tier, measured_rows

EVERY_EVAL_EVER = "0.3.0"
_FROM_0_TO_1 = ("mse", "mse_seen", "follow_sfm_registered")
_FROM_MINUS_1_TO_1 = ("ssim", "ssim_seen", "revisit_ssim", "follow_correlation")
_UNBOUNDED = ("psnr", "psnr_seen", "revisit_psnr", "kid", "kid_sw", "kd_lite0", "kd_lite0_sw")


@dataclass(frozen=True)
class Measured:
    """A scored result of this workspace, its tier, and when its file was written (seconds since 1970)."""

    result: Result
    tier: Tier
    written_s: int

    @property
    def scores(self) -> Iterator[tuple[str, Value, float]]:
        """Name, value and score of all numbers for which higher or lower is better."""
        for value in self.result.values:
            metric = METRICS.get(value.metric)
            if value.value is not None and metric is not None and metric.direction != "one":
                yield value.metric if value.step is None else f"{value.metric}@{value.step}", value, value.value


def measured_results(workspace: Workspace) -> list[Measured]:
    """The scored results measured in a workspace, without the floor and without submissions."""
    tiers = {row["results_file"]: row["source"] for row in measured_rows(workspace)}
    found = []
    for file, tier in tiers.items():
        if file and (workspace / file).is_file():
            result = read_result(workspace / file)
            if result.status == "scored" and result.method.name != FLOOR_METHOD:
                found.append(Measured(result, tier, int((workspace / file).stat().st_mtime)))
    return sorted(found, key=lambda each: (each.result.protocol.name, each.result.method.name))


def every_eval_ever(measured: Measured, organization: str) -> tuple[str, JsonObject]:
    """Where the record belongs in a repository of Every Eval Ever, and the record."""
    result = measured.result
    protocol, method = result.protocol, result.method.name
    stated = {k: v for k in ("about", "citation", "code", "weights") if (v := (result.method.model_extra or {}).get(k))}
    id = f"{protocol.name}/{method}/{measured.written_s}"
    record = {
        "schema_version": EVERY_EVAL_EVER,
        "evaluation_id": id,
        "evaluation_timestamp": str(measured.written_s),
        "retrieved_timestamp": str(measured.written_s),
        "source_metadata": {
            "source_name": "flythrough leaderboard",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "other",
            "additional_details": {"tier": measured.tier, "tier_meaning": MEANINGS[measured.tier]},
        },
        "eval_library": {
            "name": "flythrough",
            "version": str(result.code.get("version") or "unknown"),
            "additional_details": {"commit": str(result.code.get("commit") or "unknown")},
        },
        "model_info": {
            "name": method,
            "id": method,
            "additional_details": {
                "deployment_type": "self_deployed" if measured.tier == "regenerated" else "unknown",
                "model_availability": "unknown",
                **{name: str(text) for name, text in stated.items()},
            },
        },
        "evaluation_results": [_score(result, name, value, score) for name, value, score in measured.scores],
    }
    name = uuid.UUID(bytes=hashlib.sha256(id.encode()).digest()[:16], version=4)
    return f"data/{protocol.name}/unknown/{method}/{name}.json", record


def _score(result: Result, name: str, value: Value, score: float) -> JsonObject:
    metric, protocol = METRICS[value.metric], result.protocol
    lowest, highest = _bounds(value.metric)
    about = {"protocol_hash": protocol.hash, "held_out": str(protocol.held_out).lower()}
    config: JsonObject = {"evaluation_description": f"{metric.meaning}; {metric.arrow}", "metric_id": value.metric}
    if metric.unit:
        config["metric_unit"] = metric.unit
    uncertainty: JsonObject = {"num_samples": value.n}
    if value.low is not None and value.high is not None:
        interval = {"lower": value.low, "upper": value.high, "confidence_level": 0.95}
        uncertainty["confidence_interval"] = interval | {"method": "bootstrap over starts"}
    known = {"ranked": str(value.ranked).lower(), "step": value.step, "floor": value.floor, "note": value.note}
    return {
        "evaluation_result_id": f"{protocol.hash[:12]}/{result.method.name}/{name}",
        "evaluation_name": f"{protocol.name} {name}",
        "source_data": {"dataset_name": protocol.name, "source_type": "other", "additional_details": about},
        "metric_config": config
        | {"lower_is_better": metric.direction == "lower", "score_type": "continuous"}
        | {"min_score": lowest, "max_score": highest},
        "score_details": {
            "score": score,
            "details": {key: str(text) for key, text in known.items() if text is not None},
            "uncertainty": uncertainty,
        },
    }


def _bounds(metric: str) -> tuple[float | str, float | str]:
    if metric in _FROM_0_TO_1:
        return 0.0, 1.0
    if metric in _FROM_MINUS_1_TO_1:
        return -1.0, 1.0
    unbounded = metric in _UNBOUNDED or METRICS[metric].family == "drift"  # a difference
    return ("-Infinity" if unbounded else 0.0), "Infinity"


def hugging_face(measured: Measured, dataset: str, source_url: str) -> tuple[str, str]:
    """Where the results belong beside a method's repository, and the YAML: the values that may be ranked."""
    result = measured.result
    date = datetime.fromtimestamp(measured.written_s, UTC).date().isoformat()
    lines = []
    for name, value, score in measured.scores:
        if not value.ranked:
            continue
        interval = "" if value.low is None else f", 95 % interval {value.low:.6g} to {value.high:.6g}"
        notes = f"{METRICS[value.metric].arrow}{interval}, n = {value.n}, protocol {result.protocol.hash[:12]}"
        task = f"{result.protocol.name}_{name.replace('@', '_')}"
        lines += ["- dataset:", f"    id: {_quoted(dataset)}", f"    task_id: {_quoted(task)}"]
        lines += [f"  value: {yaml_number(score)}", f"  date: {_quoted(date)}"]
        if source_url:
            lines += ["  source:", f"    url: {_quoted(source_url)}", '    name: "flythrough leaderboard"']
        lines.append(f"  notes: {_quoted(f'{notes}, {measured.tier}')}")
    text = "\n".join(lines) + "\n" if lines else "[]\n"
    return f"{result.method.name}/.eval_results/{result.protocol.name}.yaml", text


def yaml_number(value: float) -> str:
    """A number as YAML 1.1 reads it too: ``1e-05`` is a string there, ``1.0e-05`` is not."""
    mantissa, exponent, power = repr(float(value)).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{exponent}{power}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
