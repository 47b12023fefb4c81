"""What is half done, left over, unreadable or missing, found by looking; and putting right what is safe to."""

from portal.services.doctor.examination import examine
from portal.services.doctor.findings import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]
