// Connects the official client and speaks JSON lines: every event goes to stdout, every line of stdin is emitted.
// stdin: ["subscribe:task", "<id>"]    stdout: {"connected": true} | {"event": name, "data": ...} | {"ack": ...}
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const transports = (process.argv[3] ?? 'polling,websocket').split(',');
const socket = io(process.argv[2], { transports, reconnection: false });

socket.on('connect', () => say({ connected: true }));
socket.on('connect_error', (error) => say({ refused: error.message }));
socket.onAny((event, data) => say({ event, data }));

createInterface({ input: process.stdin })
  .on('line', (line) => socket.emit(...JSON.parse(line), (ack) => say({ ack })))
  .on('close', () => {
    socket.close();
    process.exit(0); // a long poll that is still open would keep the process for another 25 s
  });
