"""A bearing sensor in ten lines: it sees something in the east that moves slowly north, once a second."""

import json
import sys
import time
import urllib.request

for second in range(int(sys.argv[2]) if len(sys.argv) > 2 else 600):
    look = {"time": time.time(), "detections": [{"azimuth_deg": 90 - 0.1 * second}]}
    request = urllib.request.Request(sys.argv[1], json.dumps(look).encode())
    print(urllib.request.urlopen(request).read().decode())
    time.sleep(1)
