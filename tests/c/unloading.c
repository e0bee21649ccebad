/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): the library may be loaded and unloaded as often as one likes, alone or inside a plug-in, beside other copies
 * of it. After a destroy no thread of its own is left, and threads that have used it may end before it goes or after. The shared
 * library stays where it is even if it is closed with a live pool.
 *
 * Named after rayon's #688, #1101 and #1242, aws-c-common's #756, opentelemetry-cpp's #3295 and C-Thread-Pool's #88 and #110 (one pool
 * stops another through what they share).
 *
 * WP_ROUNDS: loads and unloads; 200 in the short form.
 */
#include "check.h"

#include "../plugin/copy.h"

#include <dlfcn.h>
#include <sys/wait.h>

/* ---- copies ---- */

static const struct copy linked = COPY_LINKED;

struct loaded {
    void *handle;
    struct copy copy;
};

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    CHECK(found != NULL);
    return found;
}

static void *load(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        printf("unloading: %s\n", dlerror());
    }
    CHECK(handle != NULL);
    return handle;
}

static struct loaded load_plugin(const char *path) {
    struct loaded loaded;
    loaded.handle = load(path);
    loaded.copy = *(const struct copy *)symbol(loaded.handle, "plugin_copy");
    return loaded;
}

#define FIND(field) *(void **)&loaded.copy.field = symbol(loaded.handle, "wp_" #field)

static struct loaded load_library(const char *path) {
    struct loaded loaded;
    loaded.handle = load(path);
    FIND(create);
    FIND(submit);
    FIND(submit_task);
    FIND(wait_idle);
    FIND(stats_get);
    FIND(destroy);
    FIND(results_create);
    FIND(results_next);
    FIND(results_release);
    return loaded;
}

static bool is_loaded(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (handle != NULL) {
        CHECK_EQ(0, dlclose(handle));
    }
    return handle != NULL;
}

/* ---- use ---- */

static wp_pool *make(const struct copy *copy, uint32_t workers, uint32_t capacity) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = workers;
    options.capacity = capacity;
    CHECK_EQ(WP_OK, copy->create(&options, &pool));
    return pool;
}

static int count_in_full(wp_context *context, void *arg) {
    (void)context;
    check_count(arg);
    return 0;
}

/* A pool's whole life, with full queues and results. */
static void use(const struct copy *copy) {
    atomic_uint runs = 0;
    wp_pool *pool = make(copy, 2, 2);
    wp_results *results = NULL;
    wp_task task = WP_TASK_INIT;
    wp_record record = WP_RECORD_INIT;
    CHECK_EQ(WP_OK, copy->results_create(NULL, &results));
    task.run = count_in_full;
    task.arg = &runs;
    task.results = results;
    CHECK_EQ(WP_OK, copy->submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_OK, copy->results_next(results, &record, WP_FOREVER));
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(WP_OK, copy->submit(pool, check_count, &runs));
    }
    CHECK_EQ(WP_OK, copy->wait_idle(pool, WP_FOREVER));
    CHECK_EQ(51, atomic_load(&runs));
    CHECK_EQ(WP_OK, copy->destroy(pool));
    CHECK_EQ(WP_OK, copy->results_release(results));
}

/* A thread of the program's that uses a copy, and ends when it is told to. */
struct user {
    struct copy copy;
    sem_t used, leave;
};

static void *use_and_stay(void *arg) {
    struct user *user = arg;
    use(&user->copy);
    check_post(&user->used);
    check_wait(&user->leave);
    return NULL;
}

static pthread_t user_start(struct user *user, const struct copy *copy) {
    user->copy = *copy;
    CHECK_EQ(0, sem_init(&user->used, 0, 0));
    CHECK_EQ(0, sem_init(&user->leave, 0, 0));
    return check_thread(use_and_stay, user);
}

/* The pages of address space that the process has: each that a load leaves behind would be one more. */
static unsigned long pages(void) {
    unsigned long count = 0;
    FILE *sizes = fopen("/proc/self/statm", "r");
    CHECK(sizes != NULL);
    CHECK_EQ(1, fscanf(sizes, "%lu", &count));
    fclose(sizes);
    return count;
}

static void load_use_unload(const char *path, struct loaded (*load_it)(const char *), unsigned long rounds, const char *what) {
    unsigned long settled = 0, gone = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        struct user before, after;
        struct loaded loaded = load_it(path);
        use(&loaded.copy);
        pthread_t first = user_start(&before, &loaded.copy), second = user_start(&after, &loaded.copy);
        check_wait(&before.used);
        check_wait(&after.used);
        check_post(&before.leave);
        check_join(first);
        CHECK_EQ(0, dlclose(loaded.handle));
        gone += !is_loaded(path);
        check_post(&after.leave); /* It has used what is gone by now. */
        check_join(second);
        if (round == rounds / 2) {
            settled = pages();
        }
    }
    AWAIT(check_threads() == 1);
    unsigned long at_the_end = pages();
    printf("unloading: %s: %lu loads, %lu times really unloaded; %lu pages half-way, %lu at the end\n", what, rounds, gone, settled,
           at_the_end);
    if (!CHECK_SANITIZED && !check_on_valgrind()) { /* These map memory of their own for each load. */
        CHECK_AT_MOST(settled + rounds / 4, at_the_end);
    }
}

static void the_shared_library_comes_and_goes(void) {
    load_use_unload(WP_LIBRARY, load_library, check_rounds(200), "shared library");
    CHECK(is_loaded(WP_LIBRARY));
}

static void a_plugin_comes_and_goes(void) {
    load_use_unload(WP_PLUGIN, load_plugin, check_rounds(200), "plug-in with a static copy");
    CHECK(CHECK_SANITIZED || !is_loaded(WP_PLUGIN));
}

/* ---- closed with a live pool ---- */

struct submitter {
    const struct copy *copy;
    wp_pool *pool;
    atomic_uint *runs;
};

static void *submit_ten(void *arg) {
    struct submitter *me = arg;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(WP_OK, me->copy->submit(me->pool, check_count, me->runs));
    }
    return NULL;
}

static void closed_with_a_live_pool(const char *path, struct loaded (*load_it)(const char *)) {
    for (int round = 0; round < 20; round++) {
        struct loaded loaded = load_it(path);
        struct gate gate;
        atomic_uint runs = 0;
        wp_pool *pool = make(&loaded.copy, 2, 2);
        gate_init(&gate);
        CHECK_EQ(WP_OK, loaded.copy.submit(pool, gate_task, &gate));
        CHECK_EQ(WP_OK, loaded.copy.submit(pool, gate_task, &gate));
        check_wait_times(&gate.begun, 2);
        struct submitter submitter = {&loaded.copy, pool, &runs};
        pthread_t thread = check_thread(submit_ten, &submitter);
        wp_stats stats = WP_STATS_INIT;
        do {
            CHECK_EQ(WP_OK, loaded.copy.stats_get(pool, &stats));
        } while (stats.waiting == 0);
        CHECK_EQ(0, dlclose(loaded.handle)); /* Tasks run, a submitter waits. */
        check_post_times(&gate.open, 2);
        check_join(thread);
        CHECK_EQ(WP_OK, loaded.copy.wait_idle(pool, WP_FOREVER));
        CHECK_EQ(10, atomic_load(&runs));
        CHECK_EQ(WP_OK, loaded.copy.destroy(pool));
    }
    CHECK(is_loaded(path));
}

static void the_shared_library_stays_under_a_live_pool(void) {
    closed_with_a_live_pool(WP_LIBRARY, load_library);
}

static void a_plugin_stays_if_it_is_linked_to(void) {
    closed_with_a_live_pool(WP_PLUGIN_THAT_STAYS, load_plugin);
}

/* ---- two copies ---- */

struct two {
    const struct copy *mine, *other;
    wp_pool *my_pool, *other_pool;
    atomic_uint runs;
};

/* On a worker of one copy: waits for room and for idle in the other. */
static void cross_over(void *arg) {
    struct two *two = arg;
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(WP_OK, two->other->submit(two->other_pool, check_count, &two->runs));
    }
    CHECK_EQ(WP_OK, two->other->wait_idle(two->other_pool, WP_FOREVER));
    CHECK_EQ(WP_EDEADLK, two->mine->wait_idle(two->my_pool, WP_FOREVER));
    check_count(&two->runs);
}

static void in_the_child_of_a_fork(const struct two *two) {
    CHECK_EQ(WP_EFORKED, two->mine->submit(two->my_pool, must_not_run, NULL));
    use(two->mine); /* One copy has a pool of the child's own now; the other's are the parent's as before. */
    CHECK_EQ(WP_EFORKED, two->mine->submit(two->my_pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, two->other->submit(two->other_pool, must_not_run, NULL));
    CHECK_EQ(WP_OK, two->other->destroy(two->other_pool));
    CHECK_EQ(WP_OK, two->mine->destroy(two->my_pool));
    _Exit(0);
}

static void two_copies(const struct copy *mine, const struct copy *other) {
    struct two two = {mine, other, make(mine, 2, 2), make(other, 2, 2), 0};
    CHECK(mine->create != other->create);
    CHECK(mine->submit != other->submit);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(WP_OK, mine->submit(two.my_pool, cross_over, &two));
    }
    CHECK_EQ(WP_OK, mine->wait_idle(two.my_pool, WP_FOREVER));
    CHECK_EQ(120, atomic_load(&two.runs));
    pid_t child = check_fork();
    if (child == 0) {
        in_the_child_of_a_fork(&two);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    CHECK_EQ(WP_OK, other->destroy(two.other_pool)); /* One is gone, the other goes on. */
    CHECK_EQ(WP_OK, mine->submit(two.my_pool, check_count, &two.runs));
    CHECK_EQ(WP_OK, mine->destroy(two.my_pool));
    CHECK_EQ(121, atomic_load(&two.runs));
}

static void two_copies_do_not_disturb_each_other(void) {
    struct loaded plugin = load_plugin(WP_PLUGIN);
    two_copies(&linked, &plugin.copy);
    two_copies(&plugin.copy, &linked);
    CHECK_EQ(0, dlclose(plugin.handle));
    use(&linked);
}

int main(void) {
    check_begin("unloading");
    CASE(the_shared_library_comes_and_goes);
    CASE(a_plugin_comes_and_goes);
    CASE(two_copies_do_not_disturb_each_other);
    CASE(the_shared_library_stays_under_a_live_pool);
    CASE(a_plugin_stays_if_it_is_linked_to);
    return check_end();
}
