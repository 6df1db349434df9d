//! The HTTP side: paths, keys, counting, and who answers what.

mod answer;
mod dimensions;
mod events;
mod generated;
mod holdings;
mod parameters;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use jiff::civil;
use secrecy::{ExposeSecret, SecretString};

use super::calendar;
use super::wire::{self, SECRET_MARKER};
use answer::{PageRequest, Refusal};
use dimensions::DimensionStream;
use events::EventStream;
use generated::Slice;
pub(crate) use generated::Work;
pub(crate) use holdings::Holdings;
use parameters::Parameters;

/// Everything a request needs.
#[derive(Debug)]
pub(crate) struct Server {
    pub holdings: Holdings,
    /// Now, in seconds since 1970 UTC.
    pub clock: AtomicI64,
    pub admin_key: SecretString,
    pub affiliate_key: SecretString,
    pub work: Work,
    pub requests: AtomicU64,
    pub requests_by_path: Mutex<BTreeMap<String, u64>>,
}

/// Whose key a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Admin,
    Affiliate,
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Me,
    Dimension(DimensionStream),
    One(DimensionStream, String),
    OffersCount,
    Managers,
    Events(EventStream),
    OneConversion,
}

impl Route {
    /// Reads a path. Anything else, a double slash included, is not found.
    fn find(path: &str) -> Option<Self> {
        use DimensionStream::{Advertisers, Affiliates, Offers};
        let one = |stream, id: &str| {
            (!id.is_empty() && !id.contains('/')).then(|| Self::One(stream, id.to_owned()))
        };
        match path {
            "/3.1/user/me" => Some(Self::Me),
            "/3.0/offers" => Some(Self::Dimension(Offers)),
            "/3.0/offers/count" => Some(Self::OffersCount),
            "/3.0/admin/partners" => Some(Self::Dimension(Affiliates)),
            "/3.0/admin/advertisers" => Some(Self::Dimension(Advertisers)),
            "/3.0/admin/users" => Some(Self::Managers),
            "/3.0/stats/conversions" => Some(Self::Events(EventStream::Conversions)),
            "/3.0/stats/conversionsbyid" => Some(Self::OneConversion),
            "/3.0/stats/clicks" => Some(Self::Events(EventStream::Clicks)),
            _ => {
                if let Some(id) = path.strip_prefix("/3.0/offer/") {
                    one(Offers, id)
                } else if let Some(id) = path.strip_prefix("/3.0/admin/partner/") {
                    one(Affiliates, id)
                } else {
                    path.strip_prefix("/3.0/admin/advertiser/")
                        .and_then(|id| one(Advertisers, id))
                }
            }
        }
    }

    /// Whether an affiliate's key is turned away.
    fn is_admin_only(&self) -> bool {
        use DimensionStream::{Advertisers, Affiliates};
        matches!(
            self,
            Self::Dimension(Affiliates | Advertisers)
                | Self::One(Affiliates | Advertisers, _)
                | Self::Managers
                | Self::Events(EventStream::Clicks)
        )
    }
}

/// Answers one request.
pub(crate) async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let _number = server.count(&path);
    // Listings are computed, not awaited; a worker thread of the runtime must not do that.
    let answered = tokio::task::spawn_blocking(move || server.answer(&path, &request)).await;
    match answered {
        Ok(Ok(body)) => answer::json(StatusCode::OK, body),
        Ok(Err(refusal)) => answer::json(refusal.status(), answer::error_body(refusal.message())),
        Err(_) => answer::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            answer::error_body(Refusal::ServerError.message()),
        ),
    }
}

impl Server {
    /// Counts a request; returns its number, from 1.
    fn count(&self, path: &str) -> u64 {
        let mut by_path = self
            .requests_by_path
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *by_path.entry(path.to_owned()).or_default() += 1;
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn today(&self) -> civil::Date {
        calendar::day_of(self.now())
    }

    /// The body of a good answer, or why there is none.
    fn answer(&self, path: &str, request: &Request) -> Result<String, Refusal> {
        let route = Route::find(path).ok_or(Refusal::NotFound("Not Found"))?;
        let parameters = Parameters::parse(request.uri().query().unwrap_or(""))?;
        let header = request
            .headers()
            .get("api-key")
            .and_then(|value| value.to_str().ok());
        let role = self
            .role(header.or(parameters.key()))
            .ok_or(Refusal::NoToken)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Refusal::NotARead);
        }
        if role == Role::Affiliate && route.is_admin_only() {
            return Err(Refusal::Denied);
        }
        match route {
            Route::Me => Ok(me(role)),
            Route::Dimension(stream) => self.dimension(stream, role, &parameters),
            Route::One(stream, id) => self.one(stream, &id, role),
            Route::OffersCount => Ok(format!(r#"{{"status":1,"count":{}}}"#, self.count_offers())),
            Route::Managers => self.managers(&parameters),
            Route::Events(stream) => self.events(stream, role, &parameters),
            Route::OneConversion => self.one_conversion(&parameters),
        }
    }

    fn role(&self, key: Option<&str>) -> Option<Role> {
        let key = key?;
        if key == self.admin_key.expose_secret() {
            Some(Role::Admin)
        } else if key == self.affiliate_key.expose_secret() {
            Some(Role::Affiliate)
        } else {
            None
        }
    }

    fn events(
        &self,
        stream: EventStream,
        role: Role,
        parameters: &Parameters,
    ) -> Result<String, Refusal> {
        let (mut query, limits) = match stream {
            EventStream::Clicks => (
                events::click_query(parameters, self.today())?,
                events::CLICK_LIMITS,
            ),
            EventStream::Conversions => (
                events::conversion_query(parameters, self.today())?,
                events::CONVERSION_LIMITS,
            ),
        };
        if role == Role::Affiliate {
            if events::asks_for_updates(parameters) {
                return Err(Refusal::Denied);
            }
            query.affiliates = vec![u64::from(AFFILIATE_OF_THE_KEY)];
        }
        let request = events::page_request(parameters, limits)?;
        let page = self
            .holdings
            .events(stream, &query, slice(request), self.now(), &self.work)?;
        Ok(answer::page_body(stream.name(), &page, request))
    }

    fn dimension(
        &self,
        stream: DimensionStream,
        role: Role,
        parameters: &Parameters,
    ) -> Result<String, Refusal> {
        let query = dimensions::dimension_query(stream, parameters)?;
        let request = events::page_request(parameters, stream.limits())?;
        let view = view(role);
        let page = self
            .holdings
            .dimension(stream, &query, view, slice(request), &self.work)?;
        Ok(answer::page_body(stream.collection(), &page, request))
    }

    fn one(&self, stream: DimensionStream, id: &str, role: Role) -> Result<String, Refusal> {
        let (status, key, missing) = match stream {
            DimensionStream::Offers => ("1", "offer", "Offer not found"),
            DimensionStream::Affiliates => ("1", "partner", "Partner not found"),
            // Some replies for one thing spell success this way.
            DimensionStream::Advertisers => ("\"success\"", "advertiser", "Advertiser not found"),
        };
        let row = self.holdings.one(stream, id, view(role), &self.work)?;
        row.map(|row| answer::single_body(status, key, &row))
            .ok_or(Refusal::NotFound(missing))
    }

    fn count_offers(&self) -> u64 {
        let query = dimensions::DimensionQuery {
            statuses: vec!["active".to_owned()],
            ..dimensions::DimensionQuery::default()
        };
        let nothing = Slice { skip: 0, take: 0 };
        let page = self.holdings.dimension(
            DimensionStream::Offers,
            &query,
            wire::View::Admin,
            nothing,
            &self.work,
        );
        page.map_or(0, |page| page.total)
    }

    fn managers(&self, parameters: &Parameters) -> Result<String, Refusal> {
        parameters.allow(&[&["page", "limit"]])?;
        let request = events::page_request(parameters, dimensions::ADVERTISER_LIMITS)?;
        let page = self.holdings.managers(slice(request), &self.work);
        Ok(answer::page_body("users", &page, request))
    }

    fn one_conversion(&self, parameters: &Parameters) -> Result<String, Refusal> {
        parameters.allow(&[&["id"]])?;
        let id = parameters
            .one("id")
            .ok_or_else(|| Refusal::bad("Parameter 'id' is required".to_owned()))?;
        let row = self.holdings.conversion(id, self.now(), &self.work)?;
        row.map(|row| answer::single_body("1", "conversion", &row))
            .ok_or(Refusal::NotFound("Conversion not found"))
    }
}

/// The affiliate whose key the simulated affiliate key is.
const AFFILIATE_OF_THE_KEY: u32 = 2;

fn view(role: Role) -> wire::View {
    match role {
        Role::Admin => wire::View::Admin,
        Role::Affiliate => wire::View::Affiliate,
    }
}

fn slice(request: PageRequest) -> Slice {
    Slice {
        skip: (request.page - 1).saturating_mul(request.per_page),
        take: request.per_page,
    }
}

fn me(role: Role) -> String {
    let (id, kind, roles) = match role {
        Role::Admin => (
            "5d0000000000000000000001",
            "common_manager",
            r#"["ROLE_MANAGER_GENERAL"]"#,
        ),
        Role::Affiliate => ("2", "affiliate", "[]"),
    };
    format!(
        r#"{{"status":1,"user":{{"id":"{id}","email":"{kind}@network.example","first_name":"Demo","last_name":"","type":"{kind}","roles":{roles},"api_key":"{SECRET_MARKER}user-{id}"}}}}"#
    )
}
