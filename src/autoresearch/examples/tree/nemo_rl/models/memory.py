"""Accounting for the memory of the training device."""

MIB = 2**20


class DeviceMemory:
    """Counts bytes against a capacity, as a device allocator would; `peak` is the most ever in use."""

    def __init__(self, capacity_mib: float) -> None:
        self.capacity = int(capacity_mib * MIB)
        self.in_use = self.peak = 0

    def allocate(self, nbytes: int) -> None:
        """Take memory.

        Raises:
            MemoryError: The device has less than that left.
        """
        free = self.capacity - self.in_use
        if nbytes > free:
            raise MemoryError(
                f"Device out of memory. Tried to allocate {nbytes / MIB:.2f} MiB. The device has a total capacity of "
                f"{self.capacity / MIB:.2f} MiB of which {free / MIB:.2f} MiB is free."
            )
        self.in_use += nbytes
        self.peak = max(self.peak, self.in_use)

    def free(self, nbytes: int) -> None:
        """Give memory back."""
        self.in_use -= nbytes
