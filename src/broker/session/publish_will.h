// Publishing a session's will. A function of the session's home worker.
#pragma once

namespace nightjar::broker {

class Session;
struct WorkerState;

// Publishes the will like any message of its client (authorization, retained store, routing) and removes it,
// so that it goes out once [MQTT-3.1.2-10].
void publish_will(WorkerState& worker, Session& session);

}  // namespace nightjar::broker
