//! The service's description. What each endpoint is stands beside its handler; what they have in common is added here.

use utoipa::{
    OpenApi as _, PartialSchema as _, ToSchema as _,
    openapi::{
        Content, Object, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Type,
        header::HeaderBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::ObjectBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::problem::{Code, ProblemBody};

const OVERVIEW: &str = "\
Carts, stock, catalogue, shoppers and orders of a shop.

**Money** is an integer of minor units with an ISO 4217 currency. **Times** are RFC 3339 in UTC. Fields that are not \
known are refused.

**Changes.** A 2xx to a change is durable: `SmartCart-Durability` says how. Send an `Idempotency-Key` with each change; \
after a time-out or a 5xx send the same request with the same key again, and it is done once. `If-Match` with an `ETag` \
makes a change depend on what you have read; without it, nothing is ever refused for its version. `If-Match: *` only \
changes what there is, `If-None-Match: *` only makes what there is not. What changes nothing keeps its version, and no tag \
ever stands for two states.

**Texts** are Unicode; limits count characters. U+0000 is refused everywhere.

**Failures** are `application/problem+json` (RFC 9457) with a stable `code`. Where fields are to blame, `errors` names all \
of them at once, each by its JSON Pointer.";

const KEY: &str = "\
1 to 255 visible ASCII characters, the caller's own for this change, kept for 24 hours. A guest who creates something \
needs 32 or more.";

/// The name of the response that every operation may give.
const FAILURE: &str = "Failure";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "SmartCart", description = OVERVIEW),
    tags(
        (name = "carts", description = "What a shopper wants to buy"),
        (name = "inventory", description = "What there is of each SKU"),
        (name = "products", description = "The catalogue"),
        (name = "users", description = "Shoppers' accounts"),
        (name = "sessions", description = "Signing in and out"),
        (name = "orders", description = "What was bought"),
    ),
)]
struct Base;

pub fn base() -> OpenApi {
    Base::openapi()
}

/// Adds the headers, failures and the security that all endpoints share.
pub fn complete(description: &mut OpenApi) {
    let components = description.components.get_or_insert_default();
    components.schemas.insert(ProblemBody::name().into_owned(), ProblemBody::schema());
    components.responses.insert(FAILURE.to_owned(), failure().into());
    for (name, about) in
        [("bearer", "A shopper's access token, or a service token"), ("service", "A service token")]
    {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
        components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
    }
    for (path, item) in &mut description.paths.paths {
        let creates_at_its_address =
            ["/v1/products/", "/v1/inventory/"].iter().any(|of| path.starts_with(of));
        let changes = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in changes.into_iter().flatten() {
            describe_parameters(path, operation);
            describe_change(operation);
        }
        if let Some(put) = item.put.as_mut().filter(|_| creates_at_its_address) {
            let only_new = header("If-None-Match", r"^\*$", "It must not exist yet");
            put.parameters.get_or_insert_default().push(only_new.into());
        }
        if let Some(read) = &mut item.get {
            describe_parameters(path, read);
            describe_read(read);
        }
    }
}

/// Any failure: one description for all, with every code.
fn failure() -> Response {
    let codes = Code::ALL
        .iter()
        .map(|code| format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.title()));
    let table: String = codes.collect();
    ResponseBuilder::new()
        .description(format!(
            "A failure. Act upon its `code`:\n\n| code | status | meaning |\n| --- | --- | --- |\n{table}"
        ))
        .content("application/problem+json", problem())
        .build()
}

fn problem() -> Content {
    Content::new(Some(Ref::from_schema_name(ProblemBody::name())))
}

fn describe_change(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(header("Idempotency-Key", "^[!-~]{1,255}$", KEY).into());
    let name = operation.operation_id.as_deref().unwrap_or_default();
    if !CHANGES_OF_NO_VERSION.contains(&name) {
        let about = "The `ETag` of the version that is to be changed; `*` for any, as long as there is one";
        parameters.push(header("If-Match", r#"^("[0-9]+(-[0-9a-f]{16})?"|\*)$"#, about).into());
    }
    let mut told = vec![
        ("SmartCart-Durability", "`journaled` or `committed`"),
        ("Idempotent-Replayed", "`true` when the key had made this change before"),
    ];
    if !ANSWERS_WITHOUT_TAG.contains(&name) {
        told.push(("ETag", "The version that it is at now"));
    }
    describe_answer(operation, &told);
    add_failures(operation);
}

/// Changes of what has no version that a client could know before.
const CHANGES_OF_NO_VERSION: [&str; 7] = [
    "create_cart",
    "create_user",
    "create_address",
    "import_products",
    "create_session",
    "refresh_session",
    "end_session",
];

/// Changes that answer with no state of what they changed.
const ANSWERS_WITHOUT_TAG: [&str; 10] = [
    "import_products",
    "delete_product",
    "place_hold",
    "extend_hold",
    "release_hold",
    "change_password",
    "delete_address",
    "create_session",
    "refresh_session",
    "end_session",
];

/// The headers of an operation's success.
fn describe_answer(operation: &mut Operation, told: &[(&str, &str)]) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            for (name, about) in told {
                let text = ObjectBuilder::new().schema_type(Type::String).build();
                let header = HeaderBuilder::new().schema(Some(text)).description(Some(*about)).build();
                response.headers.insert((*name).to_owned(), header.into());
            }
        }
    }
}

fn describe_read(operation: &mut Operation) {
    operation.parameters.get_or_insert_default().push(
        header(
            "If-None-Match",
            r#"^(\*|(W/)?"[0-9a-f-]+"(, *(W/)?"[0-9a-f-]+")*)$"#,
            "The `ETag` that you have",
        )
        .into(),
    );
    describe_answer(operation, &[("ETag", "The version, or the content, that is shown")]);
    add_failures(operation);
}

const ID: &str = "^[0-9a-f]{32}$";
const SHOP_WORD: &str = "^[A-Za-z0-9._-]{1,64}$";

/// Path parameters are ids, or words of the shop's own: SKUs and products.
fn describe_parameters(path: &str, operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
        {
            let of_the_shop = parameter.name == "sku" || path.starts_with("/v1/products/");
            parameter.schema = Some(text(if of_the_shop { SHOP_WORD } else { ID }).into());
        }
    }
}

fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
}

fn header(name: &str, pattern: &str, description: &str) -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(text(pattern)))
        .build()
}

fn add_failures(operation: &mut Operation) {
    // Where the endpoint demands nobody in particular, a guest may ask, and so may everybody else.
    operation.security.get_or_insert_with(|| {
        let bearer = SecurityRequirement::new("bearer", Vec::<String>::new());
        vec![SecurityRequirement::default(), bearer]
    });
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('4')
        {
            response.content.insert("application/problem+json".to_owned(), problem().into());
        }
    }
    operation.responses.responses.insert("default".to_owned(), Ref::from_response_name(FAILURE).into());
}
