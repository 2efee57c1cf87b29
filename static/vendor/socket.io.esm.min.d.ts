// What of the client is used here; live.js says what a socket must offer.
export function io(options: object): any;
