/* SPDX-License-Identifier: MIT
 *
 * Boost.Asio's thread_pool.
 */
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/version.hpp>
#include <string>

#include "../peer.h"

extern "C" const struct peer_traits peer_traits = {false, true, true, true, true};

struct peer {
    boost::asio::thread_pool pool;
};

const char *peer_version() {
    static const std::string version = std::to_string(BOOST_VERSION / 100000) + "." +
                                       std::to_string(BOOST_VERSION / 100 % 1000);
    return version.c_str();
}

peer *peer_create(unsigned workers, unsigned, unsigned) {
    return new peer{boost::asio::thread_pool(workers)};
}

void peer_submit(peer *peer, job *job) {
    boost::asio::post(peer->pool, [job] { job->run(job); });
}

void peer_destroy(peer *peer) {
    peer->pool.join();
    delete peer;
}
