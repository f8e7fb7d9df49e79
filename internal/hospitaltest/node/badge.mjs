// Verifies a badge of training with a library that others wrote: jose. The badge comes
// on standard input, the issuer's keys and name as arguments.
import { createLocalJWKSet, jwtVerify } from "jose";
import { readFileSync } from "node:fs";

const [keys, issuer, at] = process.argv.slice(2);
const { payload, protectedHeader } = await jwtVerify(readFileSync(0, "utf8").trim(), createLocalJWKSet(JSON.parse(keys)),
  { issuer, typ: "JWT", algorithms: ["ES256"], currentDate: new Date(at), requiredClaims: ["jti", "sub", "nbf", "exp"] });
console.log(JSON.stringify({ payload, protectedHeader }));
