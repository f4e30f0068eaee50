/**
 * Opens sockets to one server: to addresses that the guard let pass, over TLS where the address says https. The
 * certificate is checked against the name, whatever the environment says; only HTTP/1.1 is offered. Bytes come into one
 * buffer that all sockets share, so they stand only until whoever is told of them returns.
 */
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type AddressGuard, AddressRefused } from "../address-guard.ts";

const READ_BUFFER_BYTES: number = 64 * 1024;
/** So that a peer that is gone is noticed under a stream that is silent. */
const TCP_KEEP_ALIVE_MS = 60_000;

const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

export interface SocketOwner {
  /** The socket can be written to. */
  onReady(): void;
  /** `false`: no more until `resume` of the socket. */
  onBytes(bytes: Buffer, length: number): boolean;
  /** The server sends no more. */
  onFinish(): void;
  /** Comes once, last. */
  onClose(error: Error | undefined): void;
}

export interface SocketTarget {
  readonly url: URL;
  readonly guard: AddressGuard;
  /** PEM of certificate authorities in place of the system's. */
  readonly ca?: string | undefined;
}

export type OpenSocket = (owner: SocketOwner) => Socket | AddressRefused;

export function createSocketOpener({ url, guard, ca }: SocketTarget): OpenSocket {
  const isSecure = url.protocol === "https:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  const isName = isIP(url.hostname.replace(/^\[(.*)\]$/, "$1")) === 0;
  const trust = ca === undefined ? {} : { ca };
  let session: Buffer | undefined;

  return (owner) => {
    const route = guard.routeTo(url.hostname);
    if (route instanceof AddressRefused) return route;
    const onread = { buffer: READ_BUFFER, callback: (length: number): boolean => owner.onBytes(READ_BUFFER, length) };
    const target: TcpNetConnectOpts = { ...route, port, onread, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
    let socket: Socket;
    if (isSecure) {
      const tls: ConnectionOptions = {
        ...trust,
        servername: isName ? url.hostname : "",
        rejectUnauthorized: true,
        ALPNProtocols: ["http/1.1"],
        ...(session === undefined ? {} : { session }),
      };
      const secured = connectTls({ ...target, ...tls } as ConnectionOptions);
      secured.on("session", (given: Buffer) => void (session = given));
      socket = secured;
    } else socket = connectTcp(target);
    let failure: Error | undefined;
    socket.once(isSecure ? "secureConnect" : "connect", () => owner.onReady());
    socket.on("error", (error: Error) => void (failure ??= error));
    socket.on("end", () => owner.onFinish());
    socket.on("close", () => owner.onClose(failure));
    return socket;
  };
}
