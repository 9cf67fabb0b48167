// SPDX-License-Identifier: BSD-2-Clause
// A gRPC server with its health service, by @grpc/grpc-js: node grpc_health.js FOLDER PORT [KEY CERTIFICATE], where
// FOLDER/node_modules has it. SERVING as a whole and for shop.Cart, not for shop.Till; SIGUSR2 turns the first.
"use strict";
const fs = require("fs");
const modules = process.argv[2] + "/node_modules/";
const grpc = require(modules + "@grpc/grpc-js");
const { HealthImplementation } = require(modules + "grpc-health-check");
const [port, key, certificate] = process.argv.slice(3);

const health = new HealthImplementation({ "": "SERVING", "shop.Cart": "SERVING", "shop.Till": "NOT_SERVING" });
let serving = true;
process.on("SIGUSR2", () => {
  serving = !serving;
  health.setStatus("", serving ? "SERVING" : "NOT_SERVING");
});

const server = new grpc.Server();
health.addToServer(server);
const credentials = key
  ? grpc.ServerCredentials.createSsl(null, [{ private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(certificate) }])
  : grpc.ServerCredentials.createInsecure();
server.bindAsync("0.0.0.0:" + port, credentials, (error) => {
  if (error) throw error;
});
