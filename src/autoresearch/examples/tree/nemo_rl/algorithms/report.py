"""What a run prints about its results, in NeMo-RL's wording."""

from collections.abc import Mapping


def print_step(metrics: Mapping[str, float], seconds: Mapping[str, float]) -> None:
    """Results, times and throughput of one training step.

    Args:
        metrics: Training metrics of the step.
        seconds: Seconds by phase; `total_step_time` is the whole step.
    """
    total = seconds["total_step_time"]
    print("\n📊 Training Results:")
    print(f"  • Loss: {metrics['loss']:.4f}")
    print(f"  • Generation KL Error: {metrics['gen_kl_error']:.4f}")
    print(f"  • Avg Reward: {metrics['reward']:.4f}")
    print(f"  • Mean Generation Length: {metrics['mean_gen_tokens_per_sample']:.4f}")
    print("\n⏱️  Timing:")
    print(f"  • Total step time: {total:.2f}s")
    phases = {label: spent for label, spent in seconds.items() if label != "total_step_time"}
    for label, spent in sorted(phases.items(), key=lambda item: -item[1]):
        print(f"  • {label}: {spent:.2f}s ({100 * spent / total:.1f}%)")
    print("\n🔍 Performance Metrics:")
    print(f"  • Samples/sec: {metrics['global_valid_seqs'] / total:.2f}")
    print(f"  • Tokens/sec: {metrics['global_valid_toks'] / total:.2f}")


def print_validation(metrics: Mapping[str, float], samples: int, seconds: float) -> None:
    """Results of one validation.

    Args:
        metrics: `accuracy` and `avg_length`.
        samples: Number of answers verified.
        seconds: How long it took.
    """
    print("\n📊 Validation Results:")
    print(f"    • Accuracy: {metrics['accuracy']:.4f}")
    print(f"    • Average response length: {metrics['avg_length']:.1f} tokens")
    print(f"    • Samples processed: {samples}")
    print("\n  ⏱️  Validation Timing:")
    print(f"    • Total validation time: {seconds:.2f}s")
