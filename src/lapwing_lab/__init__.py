"""The examiner: truth and sensors that speak the real wire formats. Shares no code with lapwing."""
