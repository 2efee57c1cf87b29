// Runs in every page behind a link: gives remote candidates the address of their mirror (impairment.py).
(() => {
  const control = CONTROL;
  const asked = new Map();
  const mirrorOf = (host, port) => {
    const name = `${host}:${port}`;
    if (!asked.has(name)) {
      asked.set(name, fetch(`${control}/mirror?endpoint=${name}`).then((given) => given.text()));
    }
    return asked.get(name);
  };
  // A candidate that no link could stand for (IPv6, TCP) is left out; a relay's is left alone.
  const mirrored = async (line) => {
    const parts = line.split(' ');
    if (parts[7] === 'relay') return line;
    if (parts[2].toLowerCase() !== 'udp' || !/^[0-9.]+$/.test(parts[4])) return null;
    [parts[4], parts[5]] = [MIRRORS, await mirrorOf(parts[4], parts[5])];
    return parts.join(' ');
  };
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...given) {
      super(...given);
      this.addEventListener('icecandidate', ({ candidate }) => {
        const { address, port } = candidate ?? {};
        if (address) void fetch(`${control}/own?endpoint=${address}:${port}`);
      });
    }
    async addIceCandidate(given) {
      if (!given?.candidate) return super.addIceCandidate(given);
      const candidate = await mirrored(given.candidate);
      if (candidate === null) return;
      return super.addIceCandidate({ candidate, sdpMid: given.sdpMid,
        sdpMLineIndex: given.sdpMLineIndex, usernameFragment: given.usernameFragment });
    }
    async setRemoteDescription({ type, sdp }) {
      const lines = [];
      for (const line of sdp.split('\r\n')) {
        lines.push(line.startsWith('a=candidate:') ? await mirrored(line) : line);
      }
      const kept = lines.filter((line) => line !== null).join('\r\n');
      return super.setRemoteDescription({ type, sdp: kept });
    }
  };
})();
