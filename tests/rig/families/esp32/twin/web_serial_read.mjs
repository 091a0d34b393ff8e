// Reads an ESP32's flash with esptool-js; the serial port is a socket of a board that waits for a download.
// node web_serial_read.mjs FOLDER PORT LENGTH FILE

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, port, length, file] = process.argv.slice(2);
const installed = createRequire(join(folder, "package.json"));
const { ESPLoader, Transport } = await import(pathToFileURL(installed.resolve("esptool-js")));

class SocketPort {
  async open() {
    this.socket = connect(Number(port), "127.0.0.1");
    this.readable = new ReadableStream({
      start: (stream) => {
        this.socket.on("data", (data) => stream.enqueue(new Uint8Array(data)));
        this.socket.on("error", (error) => stream.error(error));
      },
    });
    this.writable = new WritableStream({
      write: (data) => new Promise((done) => this.socket.write(data, done)),
    });
    await new Promise((done) => this.socket.on("connect", done));
  }
  async close() {
    this.socket.destroy();
  }
  async setSignals() {}
  getInfo() {
    return {};
  }
}

const terminal = { clean() {}, write() {}, writeLine: (line) => console.error(line) };
const transport = new Transport(new SocketPort());
const loader = new ESPLoader({ transport, baudrate: 115200, romBaudrate: 115200, terminal });
await loader.main("no_reset");
writeFileSync(file, await loader.readFlash(0, Number(length)));
process.exit(0);
